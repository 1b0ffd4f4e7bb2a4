"""The bot's sessions: SQLAlchemy over psycopg; what they send, and when they have committed."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1),
    poolclass=NullPool,  # each test has an event loop of its own
)


class NotedSession(Session):
    """Apart from everybody's, so that only these are listened to."""


sessions = async_sessionmaker(engine, sync_session_class=NotedSession)
committed = asyncio.Event()
statements: list[str] = []


@event.listens_for(engine.sync_engine, "before_cursor_execute")
def _note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
    statements.append(statement)


@event.listens_for(NotedSession, "after_commit")
def _tell(_session: Session) -> None:
    committed.set()
