"""Every picture of the gallery, and of any program, can be read: no line runs through what it has nothing to do with,
no words leave their box or lie on others.
"""

import pytest
from legible import faults
from pictures import figures

GALLERY = figures().gallery.GALLERY


@pytest.mark.parametrize("name", GALLERY)
def test_a_picture_of_the_gallery_can_be_read(name):
    assert list(faults(GALLERY[name]().placed)) == []
