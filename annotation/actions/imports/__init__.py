"""Files of responses and of judgments come in: all of a file, or nothing of it.

Modules build on each other in this order: records, cells < arrays, parquets < files < mapping < loading <
responses, judgments; and foreign < preferences, annotators < formats < pairs, which reads other people's
preference data into the rows of those two.

A file is read, checked and written chunk by chunk inside one transaction, and a bad row makes it roll
back. Each chunk therefore meets what the earlier ones brought in the database itself, so memory does not
grow with the file, and a crash keeps as little as a refusal does. The price is paid on SQLite alone: other
writers wait while a file comes in. docs/import.md says how long, and what to do with very large files.
"""

from annotation.actions.imports.formats import recognise
from annotation.actions.imports.judgments import import_judgments
from annotation.actions.imports.loading import Imported
from annotation.actions.imports.mapping import Mapping
from annotation.actions.imports.pairs import import_preferences
from annotation.actions.imports.responses import import_into_new_study, import_responses

__all__ = [
    "Imported",
    "Mapping",
    "import_into_new_study",
    "import_judgments",
    "import_preferences",
    "import_responses",
    "recognise",
]
