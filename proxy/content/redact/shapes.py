"""What a secret looks like wherever it stands: the formats in which vendors give out keys and tokens.

Each shape is a pattern that RE2 and Python read alike, so that the same list serves headers and bodies.
"""

import re

# The prefix tells whose key it is and is no part of the secret: the longest that fits stays readable.
_PREFIXED = {
    # LLM providers
    r"sk-(?:ant-(?:(?:api03|admin01|oat01)-)?|proj-|svcacct-|admin-|or-v1-|or-|lf-)?": "[A-Za-z0-9_-]{8,}",
    r"pk-lf-": "[A-Za-z0-9-]{8,}",
    r"sess-": "[A-Za-z0-9]{24,}",
    r"gsk_": "[A-Za-z0-9]{8,}",
    r"AIza": "[A-Za-z0-9_-]{8,}",
    r"xai-": "[A-Za-z0-9]{8,}",
    r"hf_": "[A-Za-z0-9]{8,}",
    r"r8_": "[A-Za-z0-9]{20,}",
    r"fw_": "[A-Za-z0-9]{20,}",
    r"csk-": "[A-Za-z0-9]{20,}",
    r"tgp_v1_": "[A-Za-z0-9_-]{20,}",
    r"nvapi-": "[A-Za-z0-9_-]{20,}",
    r"pplx-": "[A-Za-z0-9]{20,}",
    r"tvly-": "[A-Za-z0-9-]{16,}",
    r"jina_": "[A-Za-z0-9]{20,}",
    r"rpa_": "[A-Z0-9]{20,}",
    r"pa-": "[A-Za-z0-9_-]{40,}",
    r"BSA": "[A-Za-z0-9_-]{27,}",
    r"exa-": "[A-Za-z0-9_-]{24,}",
    r"lsv2_(?:pt|sk)_": "[A-Za-z0-9_]{16,}",
    r"ABSK": "[A-Za-z0-9+/=]{24,}",
    r"bedrock-api-key-": "[A-Za-z0-9+/=_-]{16,}",
    # Clouds
    r"A(?:KI|SI|BI|CC)A": "[A-Z0-9]{12,}",
    r"ya29\.": "[A-Za-z0-9_-]{16,}",
    r"1//0": "[A-Za-z0-9_-]{24,}",
    r"GOCSPX-": "[A-Za-z0-9_-]{16,}",
    r"dop_v1_|doo_v1_|dor_v1_": "[a-f0-9]{32,}",
    r"dapi": "[a-f0-9]{32}",
    r"hv[sbr]\.": "[A-Za-z0-9_-]{20,}",
    r"glsa_|glc_|glpat-": "[A-Za-z0-9_=-]{8,}",
    r"sbp_": "[a-f0-9]{32,}",
    r"dose": "[a-f0-9]{32,}",
    r"pscale_(?:tkn|pw|oauth)_": "[A-Za-z0-9_.=-]{20,}",
    r"nfp_": "[A-Za-z0-9]{30,}",
    r"vc[aikpr]_": "[A-Za-z0-9]{20,}",
    r"f[mo][12]_": "[A-Za-z0-9_+/=-]{30,}",
    r"HRKU-": "[A-Za-z0-9_-]{30,}",
    r"pul-": "[a-f0-9]{40}",
    r"dt0[a-z][0-9]{2}\.": r"[A-Z0-9]{20,}\.[A-Z0-9]{40,}",
    r"amzn\.mws\.": "[A-Za-z0-9-]{30,}",
    # Code and packages
    r"gh[pousr]_": "[A-Za-z0-9]{8,}",
    r"github_pat_": "[A-Za-z0-9_]{8,}",
    r"gl(?:ptt|dt|rt|cbt|ft|soat|imt|agent|ffct)-": "[A-Za-z0-9_-]{16,}",
    r"npm_": "[A-Za-z0-9]{30,}",
    r"pypi-": "[A-Za-z0-9_-]{30,}",
    r"dckr_pat_": "[A-Za-z0-9_-]{20,}",
    r"rubygems_": "[a-f0-9]{40,}",
    r"oy2": "[a-z0-9]{40,}",
    # Services
    r"xox[abeoprs]-|xapp-": "[A-Za-z0-9-]{10,}",
    r"SG\.": r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"(?:sk|rk|pk|whsec)_(?:live_|test_)?": "[A-Za-z0-9]{16,}",
    r"shp(?:at|ca|pa|ss)_": "[A-Fa-f0-9]{20,}",
    r"sq0(?:atp|csp)-": "[A-Za-z0-9_-]{20,}",
    r"EAACEdEose0cBA": "[A-Za-z0-9]{8,}",
    r"lin_api_": "[A-Za-z0-9]{20,}",
    r"secret_": "[A-Za-z0-9]{40,}",
    r"key-": "[a-f0-9]{32}",
    r"NRAK-": "[A-Z0-9]{24,}",
    r"re_": "[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}",
    r"pat-(?:na|eu)[0-9]-": "[A-Za-z0-9-]{30,}",
    r"access-(?:sandbox|development|production)-": "[A-Za-z0-9-]{30,}",
    r"SK": "[a-f0-9]{32}",
    r"ntn_": "[A-Za-z0-9]{20,}",
    r"figd_": "[A-Za-z0-9_-]{20,}",
    r"PMAK-": "[A-Za-z0-9-]{20,}",
    r"ph[cx]_": "[A-Za-z0-9]{20,}",
    r"sntry[su]_": "[A-Za-z0-9_=+/-]{20,}",
    r"dp\.(?:pt|st|ct|sa)\.": r"[A-Za-z0-9._-]{20,}",
    r"ATATT3|ATCTT3": "[A-Za-z0-9_=-]{20,}",
    r"AGE-SECRET-KEY-1": "[A-Z0-9]{20,}",
    r"ops_": "eyJ[A-Za-z0-9_-]{20,}",
}
# Shapes that no vendor's prefix begins, of which nothing stays readable.
_WHOLE = (
    # A JSON web token, or any JSON object in base64.
    r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*",
    # Tokens of Telegram's bots, of Discord's, of Airtable, of HashiCorp's cloud.
    r"(?:bot)?[0-9]{8,10}:[A-Za-z0-9_-]{30,}",
    r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{25,}",
    r"pat[A-Za-z0-9]{14}\.[a-f0-9]{60,}",
    r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}",
    # Keys of Azure's AI services, and of its storage accounts.
    r"[A-Za-z0-9]{44,60}JQQJ99[A-Za-z0-9]{20,}",
    r"[A-Za-z0-9+/]{86}==",
    # Cloudflare's origin keys.
    r"v1\.0-[a-f0-9]{24}-[a-f0-9]{100,}",
    # Addresses to which whoever knows them may post.
    r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}",
    r"discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]{20,}",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\s\\]*(?:-----END [A-Z ]*PRIVATE KEY-----)?",
)
_PATTERNS = (*(f"(?:{prefix})(?:{rest})" for prefix, rest in _PREFIXED.items()), *_WHOLE)
# Neither engine lets a word begin within another: ``task-...`` is no ``sk-...``.
SHAPES = tuple(
    each if each.startswith("-") else rf"(?:\b|_|%[0-9A-Fa-f]{{2}})(?:{each})" for each in _PATTERNS
)
# What stands before is looked at once for all shapes: most places of a text then cost a step for each.
_ANY = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_PATTERNS)})")
_PREFIX = re.compile("|".join(f"(?:{each})" for each in sorted(_PREFIXED, key=len, reverse=True)))
MASK = "..."
_MASKED = re.compile(rf"(?:{_PREFIX.pattern})?\.\.\.(?:[!-~]{{4}})?")
_SHOWN = 4
# With fewer characters behind its prefix, four of them would be too much of a key.
_LONG = 16


def mask_secret(secret: str) -> str:
    """Mask one credential: a known prefix and, of long keys, the last four characters stay."""
    if not secret or _MASKED.fullmatch(secret):
        return secret
    found = _PREFIX.match(secret)
    prefix = found[0] if found else ""
    rest = secret[len(prefix) :]
    if not prefix or len(rest) < _LONG or not rest.isascii() or not rest.isprintable() or " " in rest:
        return prefix + MASK
    return f"{prefix}{MASK}{rest[-_SHOWN:]}"


def mask_keys(text: str) -> str:
    """Mask whatever in a text looks like a key or a token, wherever it stands."""
    return _ANY.sub(lambda match: mask_secret(match[0]), text)


def looks_secret(text: str) -> bool:
    """Tell whether a text holds something that looks like a key or a token."""
    return _ANY.search(text) is not None
