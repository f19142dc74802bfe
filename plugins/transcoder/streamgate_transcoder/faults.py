"""Faults of asking for what is not there."""

from __future__ import annotations

from streamgate.errors import Invalid


class UnknownProfile(Invalid):
    code, title = "transcode.unknown_profile", "No such transcoding profile"


class NotInPlan(Invalid):
    code, title = "transcode.not_in_plan", "The plan has no such chunk or rendition"


class PlanUnreadable(Invalid):
    code, title = "transcode.plan_unreadable", "The plan that a job names cannot be used"
