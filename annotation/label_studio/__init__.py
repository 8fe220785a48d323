"""Annotating with Label Studio; the foundation in ``annotation`` does not know it.

The server: ``install`` (its virtual environment), ``database``, ``credentials``, ``server`` (its process), ``progress`` (waiting for it).
What newsmark says to it: ``connection``, ``project``, ``tasks``, ``annotators``; ``records`` is its JSON, read once.
Both ways: ``interface`` (what annotators see), ``writing`` and ``reading`` (documents and annotations as rows, and back).
What people do: ``push``, ``pull``, ``status``, ``adjudication``, ``backend``, ``questions``; ``commands``, ``push_command``, ``backend_command``,
``ask_command`` and ``options`` are the command line.
"""
