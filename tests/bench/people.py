"""The made-up users of the made-up database, and what is kept about each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from random import Random
from uuid import UUID

MODELS = ("claude-opus-4-5", "claude-sonnet-4-20250514", "claude-3-5-haiku-20241022")
NAMES = ("alice", "生产环境", "Team 🚀 Rocket", "bob", "测试密钥", "Zoë", "ci", "研发部 🐉")
TEXT = "Shared by the team.\nAsk before you raise its limits:\n\t- daily\n\t- weekly\n"
MONTHS = 11

SETTINGS = {
    "claude_relay_config": {"sessionBindingTtlDays": 30, "limits": {"daily": 250, "hourly": 10}},
    "webhook_config:default": {"enabled": True, "platforms": [{"type": "slack", "url": "http"}]},
    "oem:settings": {"siteName": "Relay 中继", "showAdminButton": True},
    "system:service_rates": {"rates": {"claude": 1, "gemini": 0.5}, "baseService": "claude"},
}
"""What a person edits."""

ALWAYS = (
    *("activationDays", "0", "activationUnit", "days", "allowedClients", "[]"),
    *("azureOpenaiAccountId", "", "bedrockAccountId", "", "claudeConsoleAccountId", ""),
    *("createdBy", "admin", "droidAccountId", "", "enableClientRestriction", "false"),
    *("enableModelRestriction", "false", "enableOpenAIResponsesCodexAdaptation", "true"),
    *("enableOpenAIResponsesPayloadRules", "false", "expirationMode", "fixed", "expiresAt", ""),
    *("geminiAccountId", "", "icon", "", "isActivated", "true", "isActive", "true"),
    *("openaiAccountId", "", "openaiResponsesPayloadRules", "[]", "permissions", "[]"),
    *("rateLimitCost", "0", "rateLimitRequests", "0", "rateLimitWindow", "0"),
    *("serviceRates", "{}", "tokenLimit", "0", "totalCostLimit", "0"),
    *("userId", "", "userUsername", "", "weeklyOpusCostLimit", "0"),
    *("weeklyResetDay", "1", "weeklyResetHour", "15"),
)
"""The fields of an API key that few people change."""

ACCOUNT = (
    *("accountType", "shared", "autoStopOnWarning", "false", "disableTempUnavailable", "false"),
    *("errorMessage", "", "extInfo", "", "interceptWarmup", "false", "isActive", "true"),
    *("lastRefreshAt", "", "lastUsedAt", "", "maxConcurrency", "0", "password", ""),
    *("platform", "claude", "priority", "50", "schedulable", "true", "scopes", "user:inference"),
    *("status", "active", "subscriptionExpiresAt", "", "subscriptionInfo", ""),
    *("tempUnavailable503TtlSeconds", "", "tempUnavailable5xxTtlSeconds", ""),
    *("unifiedClientId", "", "useUnifiedClientId", "false", "useUnifiedUserAgent", "false"),
)
PROXY = {"type": "socks5", "host": "10.0.0.1", "port": 1080, "username": "u", "password": "p@ss:w"}


class User:
    """One of them: everything about a user follows from the number."""

    def __init__(self, number: int) -> None:
        self.number = number
        digest = hashlib.sha256(b"user %d" % number).digest()
        self.id = str(UUID(bytes=digest[:16], version=4))
        self.account = str(UUID(bytes=digest[16:], version=4))
        self.name = f"{NAMES[number % len(NAMES)]} {number}"
        self.model = MODELS[number % len(MODELS)]
        self.day = 2 + number % 27
        self.moment = f"2026-{MONTHS}-{self.day:02}T07:{number % 60:02}:17.{number % 1000:03}Z"

    @cached_property
    def _random(self) -> Random:
        return Random(self.number)

    def below(self, end: int) -> int:
        """Any number from 0, the next one at each call."""
        return int(self._random.random() * end)

    def token(self, purpose: str, length: int) -> str:
        """Up to 128 characters of hex, the same whenever it is asked for."""
        return hashlib.sha512(f"{purpose} {self.number}".encode()).hexdigest()[:length]


def api_key(user: User) -> Iterator[str]:
    """Its fields, each followed by its value."""
    yield from ALWAYS
    yield from ("id", user.id, "name", user.name, "apiKey", user.token("key", 64))
    yield from ("activatedAt", user.moment, "createdAt", user.moment, "lastUsedAt", user.moment)
    yield from ("claudeAccountId", user.account, "concurrencyLimit", str(user.number % 5))
    yield from ("dailyCostLimit", str(user.below(100)))
    yield from ("description", TEXT if user.number % 4 == 0 else "")
    yield from ("tags", json.dumps(["team", user.name], ensure_ascii=False))
    yield from ("restrictedModels", json.dumps(MODELS[: user.number % 3]))


def account(user: User) -> Iterator[str]:
    """The fields of an account, each followed by its value; some are encrypted."""
    yield from ACCOUNT
    yield from ("id", user.account, "name", f"account-{user.number}", "createdAt", user.moment)
    yield from ("description", TEXT if user.number % 8 == 1 else "shared")
    yield from ("proxy", json.dumps(PROXY), "expiresAt", str(1_795_000_000_000 + user.number))
    for field in ("accessToken", "refreshToken", "email", "claudeAiOauth"):
        yield field
        yield f"{user.token(field + ' iv', 32)}:{user.token(field, 128)}"
