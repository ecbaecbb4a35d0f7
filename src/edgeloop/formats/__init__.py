"""Datasets in files: a folder <-> images with annotations."""

from edgeloop.formats.labelled import LabelledFile, LabelledFolder, NamedBox
from edgeloop.formats.voc import read_voc, write_voc

__all__ = ["LabelledFile", "LabelledFolder", "NamedBox", "read_voc", "write_voc"]
