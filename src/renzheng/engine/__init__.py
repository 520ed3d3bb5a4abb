"""Measures faces: images in, measurements out.

This room knows no token, no HTTP and no store. Importing it costs nothing; its modules import
numpy, OpenCV and the inference runtimes when they are needed.

- ``packs``       model files: manifest, digests, licences, calibration
- ``limits``      every bound of this room in one dataclass
- ``media``       bounded probing and decoding of photos from strangers
- ``detection``   faces in an image: box and five points
- ``landmarks``   the 468-point mesh and the eye contours, and what follows from them: pose, openings
- ``quality``     size, sharpness, exposure, cut faces
- ``embedding``   aligned face -> 128 numbers -> similarity 0-100
- ``liveness``    what happened over time: actions, depth, continuity, hints for the device
- ``judging``     a whole recorded sequence -> one ``Measurement``
- ``workers``     the same, in bounded processes behind an async facade
"""
