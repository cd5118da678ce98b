"""Which names hold a secret, in any spelling: ``X-Api-Key``, ``accessToken``, ``client_secret``, ``SAS``."""

import re
from functools import lru_cache

SECRET_NAMES = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "cookie",
        "set-cookie",
        "set-cookie2",
        "x-amz-security-token",
        "x-amz-content-sha256",
        "chatgpt-account-id",
        "openai-organization",
        "anthropic-organization-id",
        "helicone-auth",
        "x-forwarded-client-cert",
        "x-honeycomb-team",
        "x-amzn-oidc-data",
        "x-ms-client-principal",
        "dpop",
        "macaroon",
        "macaroons",
    }
)
# A name with one of these words in it holds a secret too.
SECRET_WORDS = frozenset(
    {
        "assertion",
        "auth",
        "authentication",
        "authorization",
        "bearer",
        "cookie",
        "credential",
        "credentials",
        "csrf",
        "jwt",
        "key",
        "otp",
        "pass",
        "passcode",
        "passphrase",
        "passwd",
        "password",
        "pat",
        "pwd",
        "sas",
        "secret",
        "secrets",
        "sig",
        "signature",
        "token",
        "verifier",
        "xsrf",
    }
)
# Names of several words of which none is secret by itself.
_TOGETHER = ("connectionstring", "devicecode", "samlrequest", "samlresponse")
# Words that are also written with the word before them, as in ``apikey``, ``authtoken`` and ``dbpassword``.
_ENDINGS = (
    "accesskey",
    "apikey",
    "authkey",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "encryptionkey",
    "masterkey",
    "passwd",
    "password",
    "privatekey",
    "secret",
    "secretkey",
    "servicekey",
    "sessionkey",
    "signature",
    "subscriptionkey",
    "token",
)
# Parameters of OAuth and of signed addresses that are secret only as a parameter: ``code`` is also a status.
_PARAMETERS = frozenset(
    {
        *("code", "ticket", "nonce", "hmac", "pin", "cred", "creds", "tok", "ak", "sk", "dsn"),
        *("sid", "sessionid", "jsessionid", "phpsessid", "webhook", "webhook_url", "relaystate"),
    }
)
_SIGNED = re.compile(r"(?i)^x-(?:amz|goog)-(?:credential|signature|security-token)$")
# ``accessToken``, ``APIKey`` and ``oauth2Token`` are two words each.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


@lru_cache(maxsize=2048)  # names are few; a client that invents them must not grow memory
def is_secret_name(name: str) -> bool:
    """Tell whether what goes by a name, of a header, a JSON member or a parameter, is a secret."""
    lower = name.lower()
    if lower in SECRET_NAMES:
        return True
    words = [word.lower() for word in _WORD.findall(name)] + re.findall(r"[a-z]+", lower)
    if "".join(re.findall(r"[a-z]+", lower)).endswith(_TOGETHER):
        return True
    return any(word in SECRET_WORDS or word.endswith(_ENDINGS) for word in words)


@lru_cache(maxsize=2048)
def is_secret_parameter(name: str) -> bool:
    """Tell whether a query parameter of a name holds a secret."""
    return is_secret_name(name) or name.lower() in _PARAMETERS or _SIGNED.match(name) is not None
