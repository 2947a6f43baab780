"""What the tables of papers need computed besides records: named by jobs and claims."""
