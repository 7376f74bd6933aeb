"""`supervision import`: one JSON document, checked whole, then written in one unit of work.

Every section is optional, ids are the operator's, an entry is inserted or brought up to date by its id.
Unknown fields and broken references are refused with the path of the field; nothing is half imported.
"""

from supervision.importing.apply import Summary, import_document

__all__ = ["Summary", "import_document"]
