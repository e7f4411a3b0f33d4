"""The yardstick: one training step of RNN, LSTM and GRU written by hand in NumPy, with hand-derived BPTT and no graph.

naive   one pair of products per time step, fresh arrays, the equations as they are
opt     input projection hoisted to one product, weight gradients as one product over all time, buffers reused with
        out=, everything that does not depend on the recurrence computed for all steps at once

build(cell, P) gives step() -> (loss, gradients) for loss = mean(out**2), with P = x (T, B, I), Wx (I, G*H), Wh (H, G*H),
b (G*H) and for the GRU bh. Gate orders: i, f, g, o and r, z, n. Both are checked against the library before every timing.
"""

import numpy as np

dot, mul, add, sub, tanh = np.dot, np.multiply, np.add, np.subtract, np.tanh


# ------------------------------------------------------------------ naive
def sig(x):
    return 1.0 / (1.0 + np.exp(-x))


def naive(cell, P, mask=None):
    """`mask` (T, B, 1): where the sequences of a padded batch are real."""
    x, Wx, Wh, b = P["x"], P["Wx"], P["Wh"], P["b"]
    bh = P.get("bh")
    T, B, I = x.shape
    H = Wh.shape[0]
    f32 = x.dtype.type

    def lstm():
        h = np.zeros((B, H), x.dtype); c = np.zeros((B, H), x.dtype)
        saved, hs = [], []
        for t in range(T):
            z = x[t] @ Wx + h @ Wh + b
            i = sig(z[:, :H]); f = sig(z[:, H:2*H]); g = np.tanh(z[:, 2*H:3*H]); o = sig(z[:, 3*H:])
            cn = f * c + i * g
            tc = np.tanh(cn)
            saved.append((h, c, i, f, g, o, tc))
            if mask is None:
                h = o * tc; c = cn
            else:
                h = np.where(mask[t], o * tc, h); c = np.where(mask[t], cn, c)
            hs.append(h)
        out = np.stack(hs) if mask is None else np.where(mask, np.stack(hs), f32(0))
        loss = np.mean(out * out)
        dout = out * f32(2.0 / out.size)
        dWx = np.zeros_like(Wx); dWh = np.zeros_like(Wh); db = np.zeros_like(b); dx = np.empty_like(x)
        dh = np.zeros((B, H), x.dtype); dc = np.zeros((B, H), x.dtype)
        for t in range(T - 1, -1, -1):
            hp, cp, i, f, g, o, tc = saved[t]
            dh = dh + dout[t]
            if mask is not None:
                past_h = np.where(mask[t], f32(0), dh); dh = np.where(mask[t], dh, f32(0))
                past_c = np.where(mask[t], f32(0), dc); dc = np.where(mask[t], dc, f32(0))
            dc = dc + dh * o * (1 - tc * tc)
            dz = np.concatenate([dc * g * i * (1 - i), dc * cp * f * (1 - f),
                                 dc * i * (1 - g * g), dh * tc * o * (1 - o)], axis=1)
            dWx += x[t].T @ dz; dWh += hp.T @ dz; db += dz.sum(0)
            dx[t] = dz @ Wx.T
            dh = dz @ Wh.T
            dc = dc * f
            if mask is not None:
                dh = dh + past_h; dc = dc + past_c
        return loss, dict(x=dx, Wx=dWx, Wh=dWh, b=db)

    def gru():
        h = np.zeros((B, H), x.dtype)
        saved, hs = [], []
        for t in range(T):
            zi = x[t] @ Wx + b; zh = h @ Wh + bh
            r = sig(zi[:, :H] + zh[:, :H]); z = sig(zi[:, H:2*H] + zh[:, H:2*H])
            hn = zh[:, 2*H:]
            n = np.tanh(zi[:, 2*H:] + r * hn)
            saved.append((h, r, z, n, hn))
            new = n + z * (h - n)
            h = new if mask is None else np.where(mask[t], new, h)
            hs.append(h)
        out = np.stack(hs) if mask is None else np.where(mask, np.stack(hs), f32(0))
        loss = np.mean(out * out)
        dout = out * f32(2.0 / out.size)
        dWx = np.zeros_like(Wx); dWh = np.zeros_like(Wh); db = np.zeros_like(b); dbh = np.zeros_like(bh); dx = np.empty_like(x)
        dh = np.zeros((B, H), x.dtype)
        for t in range(T - 1, -1, -1):
            hp, r, z, n, hn = saved[t]
            dh = dh + dout[t]
            if mask is not None:
                past = np.where(mask[t], f32(0), dh); dh = np.where(mask[t], dh, f32(0))
            dn = dh * (1 - z) * (1 - n * n)
            dz = dh * (hp - n) * z * (1 - z)
            dr = dn * hn * r * (1 - r)
            dzi = np.concatenate([dr, dz, dn], 1); dzh = np.concatenate([dr, dz, dn * r], 1)
            dWx += x[t].T @ dzi; dWh += hp.T @ dzh; db += dzi.sum(0); dbh += dzh.sum(0)
            dx[t] = dzi @ Wx.T
            dh = dh * z + dzh @ Wh.T
            if mask is not None:
                dh = dh + past
        return loss, dict(x=dx, Wx=dWx, Wh=dWh, b=db, bh=dbh)

    def rnn():
        h = np.zeros((B, H), x.dtype)
        hs = [h]
        for t in range(T):
            new = np.tanh(x[t] @ Wx + h @ Wh + b)
            h = new if mask is None else np.where(mask[t], new, h)
            hs.append(h)
        out = np.stack(hs[1:]) if mask is None else np.where(mask, np.stack(hs[1:]), f32(0))
        loss = np.mean(out * out)
        dout = out * f32(2.0 / out.size)
        dWx = np.zeros_like(Wx); dWh = np.zeros_like(Wh); db = np.zeros_like(b); dx = np.empty_like(x)
        dh = np.zeros((B, H), x.dtype)
        for t in range(T - 1, -1, -1):
            dh = dh + dout[t]
            if mask is not None:
                past = np.where(mask[t], f32(0), dh); dh = np.where(mask[t], dh, f32(0))
            dz = dh * (1 - hs[t + 1] * hs[t + 1])
            dWx += x[t].T @ dz; dWh += hs[t].T @ dz; db += dz.sum(0)
            dx[t] = dz @ Wx.T
            dh = dz @ Wh.T
            if mask is not None:
                dh = dh + past
        return loss, dict(x=dx, Wx=dWx, Wh=dWh, b=db)

    return dict(lstm=lstm, gru=gru, rnn=rnn)[cell]


# ------------------------------------------------------------------ optimised
def opt(cell, P):
    x, Wx, Wh, b = P["x"], P["Wx"], P["Wh"], P["b"]
    bh = P.get("bh")
    T, B, I = x.shape
    H = Wh.shape[0]
    dt = x.dtype
    GH = Wh.shape[1]
    E = lambda *s: np.empty(s, dt)
    half = np.full(1, 0.5, dt); one = np.ones(1, dt)
    x2 = x.reshape(T * B, I)
    HS = np.zeros((T + 1, B, H), dt)             # h_{-1}=0, h_0 .. h_{T-1}
    out = HS[1:]
    Z = E(T, B, GH); DZ = E(T, B, GH)            # gates / their gradients
    Z2, DZ2 = Z.reshape(T * B, GH), DZ.reshape(T * B, GH)
    DOUT = E(T, B, H)
    tmpG, tmpH, tmpH2, dh, dc = E(B, GH), E(B, H), E(B, H), E(B, H), E(B, H)
    dWx, dWh, db, dx = np.empty_like(Wx), np.empty_like(Wh), np.empty_like(b), np.empty_like(x)
    dx2 = dx.reshape(T * B, I)
    WxT, WhT = Wx.T, Wh.T
    WhTc = np.empty((GH, H), dt)
    scale = np.full(1, 2.0 / (T * B * H), dt)
    onesTB = np.ones(T * B, dt)
    hs = list(HS)
    Zt = list(Z); DZt = list(DZ); DOt = list(DOUT)
    HP2 = HS[:-1].reshape(T * B, H)
    flat = out.reshape(-1)
    nel = T * B * H

    if cell == "lstm":
        CS = np.zeros((T + 1, B, H), dt); TC = E(T, B, H); A = E(T, B, H)
        cs, tcs, As = list(CS), list(TC), list(A)
        # scale so that one tanh does all four gates: sigmoid(u) = .5*tanh(.5u)+.5
        sc = np.ones((4, H), dt); sc[[0, 1, 3]] = 0.5; sc = sc.reshape(-1)
        of = np.zeros((4, H), dt); of[[0, 1, 3]] = 0.5; of = of.reshape(-1)
        Whs, Wxs, bs = np.empty_like(Wh), np.empty_like(Wx), np.empty_like(b)
        i_, f_, g_, o_ = [Z[:, :, k*H:(k+1)*H] for k in range(4)]
        it, ft, gt, ot = list(i_), list(f_), list(g_), list(o_)
        K = E(T, B, 4, H); K3 = [k[:, :3] for k in K]; Ko = [k[:, 3] for k in K]
        D3 = [d.reshape(B, 4, H)[:, :3] for d in DZ]; Do = [d.reshape(B, 4, H)[:, 3] for d in DZ]
        dc3 = dc[:, None, :]
        bulk = E(T, B, H)
        fw = list(zip(Zt, it, ft, gt, ot, cs[:-1], cs[1:], tcs, hs[:-1], hs[1:]))
        bw = list(zip(DOt, As, ft[1:] + [None], D3, K3, Do, Ko, [None] + DZt[:-1], DZt))[::-1]

        def step():
            mul(Wh, sc, Whs); mul(Wx, sc, Wxs); mul(b, sc, bs)
            dot(x2, Wxs, Z2); add(Z2, bs, Z2)
            for z, i, f, g, o, cp, c, tc, hp, h in fw:
                dot(hp, Whs, tmpG); add(z, tmpG, z); tanh(z, z)
                mul(z, sc, z); add(z, of, z)
                mul(f, cp, c); mul(i, g, tmpH); add(c, tmpH, c)
                tanh(c, tc); mul(o, tc, h)
            loss = dot(flat, flat) / nel
            mul(out, scale, DOUT)
            # bulk factors, no recurrence in them
            Ki, Kf, Kg, Ko_ = K[:, :, 0], K[:, :, 1], K[:, :, 2], K[:, :, 3]
            sub(one, i_, Ki); mul(Ki, i_, Ki); mul(Ki, g_, Ki)
            sub(one, f_, Kf); mul(Kf, f_, Kf); mul(Kf, CS[:-1], Kf)
            mul(g_, g_, Kg); sub(one, Kg, Kg); mul(Kg, i_, Kg)
            mul(TC, o_, bulk)                        # = h
            sub(one, o_, Ko_); mul(Ko_, bulk, Ko_)
            mul(bulk, TC, A); sub(o_, A, A)          # o - o*tc^2
            WhTc[...] = WhT
            first = True
            for do, a, fn, d3, k3, dO, ko, _, d in bw:
                if first:
                    dh_ = do; mul(do, a, dc); first = False
                else:
                    dot(dprev, WhTc, dh); add(dh, do, dh); dh_ = dh
                    mul(dc, fn, dc); mul(dh, a, tmpH); add(dc, tmpH, dc)
                mul(dc3, k3, d3); mul(dh_, ko, dO)
                dprev = d
            dot(x2.T, DZ2, dWx); dot(HP2.T, DZ2, dWh); dot(onesTB, DZ2, db); dot(DZ2, WxT, dx2)
            return loss, dict(x=dx, Wx=dWx, Wh=dWh, b=db)
        return step

    if cell == "gru":
        HN = E(T, B, H)
        sc = np.ones((3, H), dt); sc[:2] = 0.5; sc = sc.reshape(-1)
        Whs, Wxs, bs = np.empty_like(Wh), np.empty_like(Wx), np.empty_like(b)
        bhn = E(H)
        RZ = Z[:, :, :2*H]
        r_, z_, n_ = [Z[:, :, k*H:(k+1)*H] for k in range(3)]
        tRZ, tHN = tmpG[:, :2*H], tmpG[:, 2*H:]
        K = E(T, B, 3, H); D3 = list(DZ.reshape(T, B, 3, H))
        Kn = E(T, B, H); DH = E(T, B, H); DHt = list(DH); dXI = E(T, B, GH)
        dXI2 = dXI.reshape(T*B, GH)
        dh3 = [d[:, None, :] for d in DHt]
        bhs = E(GH); dbh = E(GH)
        fw = list(zip(RZ, r_, z_, n_, HN, hs[:-1], hs[1:]))
        bw = list(zip(DOt, list(K), D3, DHt, dh3, list(z_), DZt))[::-1]

        def step():
            mul(Wh, sc, Whs); mul(Wx, sc, Wxs); mul(b, sc, bs); mul(bh, sc, bhs)
            bhn[...] = bhs[2*H:]; bs[:2*H] += bhs[:2*H]
            dot(x2, Wxs, Z2); add(Z2, bs, Z2)
            for rz, r, z, n, hn, hp, h in fw:
                dot(hp, Whs, tmpG)
                add(rz, tRZ, rz); tanh(rz, rz); mul(rz, half, rz); add(rz, half, rz)
                add(tHN, bhn, hn); mul(r, hn, tmpH); add(n, tmpH, n); tanh(n, n)
                sub(hp, n, h); mul(h, z, h); add(h, n, h)
            loss = dot(flat, flat) / nel
            mul(out, scale, DOUT)
            Kr, Kz, Kh = K[:, :, 0], K[:, :, 1], K[:, :, 2]
            sub(one, z_, Kz); mul(n_, n_, Kn); sub(one, Kn, Kn); mul(Kn, Kz, Kn)
            mul(Kz, z_, Kz); sub(HS[:-1], n_, Kh); mul(Kz, Kh, Kz)
            sub(one, r_, Kr); mul(Kr, r_, Kr); mul(Kr, HN, Kr); mul(Kr, Kn, Kr)
            mul(Kn, r_, Kh)
            WhTc[...] = WhT
            first = True
            for do, k, d3, dht, dh3_, z, d in bw:
                if first:
                    dht[...] = do; first = False
                else:
                    dot(dprev, WhTc, dht); add(dht, do, dht); mul(dhprev, zprev, tmpH); add(dht, tmpH, dht)
                mul(dh3_, k, d3)
                dprev, dhprev, zprev = d, dht, z
            dXI[:, :, :2*H] = DZ[:, :, :2*H]; mul(DH, Kn, dXI[:, :, 2*H:])
            dot(x2.T, dXI2, dWx); dot(HP2.T, DZ2, dWh); dot(onesTB, dXI2, db); dot(dXI2, WxT, dx2)
            dot(onesTB, DZ2, dbh)
            return loss, dict(x=dx, Wx=dWx, Wh=dWh, b=db, bh=dbh)
        return step

    if cell == "rnn":
        K = DZ
        fw = list(zip(Zt, hs[:-1], hs[1:]))
        bw = list(zip(DOt, DZt))[::-1]

        def step():
            dot(x2, Wx, Z2); add(Z2, b, Z2)
            for z, hp, h in fw:
                dot(hp, Wh, h); add(h, z, h); tanh(h, h)
            loss = dot(flat, flat) / nel
            mul(out, scale, DOUT)
            mul(out, out, DZ); sub(one, DZ, DZ)
            WhTc[...] = WhT
            first = True
            for do, d in bw:
                if first:
                    mul(d, do, d); first = False
                else:
                    dot(dprev, WhTc, dh); add(dh, do, dh); mul(d, dh, d)
                dprev = d
            dot(x2.T, DZ2, dWx); dot(HP2.T, DZ2, dWh); dot(onesTB, DZ2, db); dot(DZ2, WxT, dx2)
            return loss, dict(x=dx, Wx=dWx, Wh=dWh, b=db)
        return step
