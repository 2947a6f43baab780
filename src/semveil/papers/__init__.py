"""Papers as data: each published table or figure is a folder of three files.

``jobs.yaml`` says what is run (:mod:`semveil.papers.jobs`), ``claims.yaml`` what the paper claims
and how records decide it (:mod:`semveil.papers.claims`), ``page.md.j2`` the page with its tables
and figures (:mod:`semveil.papers.page`). How all three select numbers from records is described in
:mod:`semveil.papers.values`. What several studies of one paper share lies in ``shared``. Only work
that a table needs for itself is Python, named by its job.
"""

from semveil.papers.overview import overview
from semveil.papers.paper import PAPERS, Paper

__all__ = ["PAPERS", "Paper", "overview"]
