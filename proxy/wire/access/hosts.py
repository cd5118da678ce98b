"""The hosts of providers that need no configuration."""

# Per path segment, the hosts that need no configuration; ``*`` stands for letters, digits and hyphens. A host
# that speaks two dialects stands under both segments; the shipper takes it for the provider of the last.
BUILT_IN: dict[str, tuple[str, ...]] = {
    "anthropic": (
        "api.anthropic.com",
        "openrouter.ai",
        "api.deepseek.com",
        "api.x.ai",
        "api.moonshot.ai",
        "api.moonshot.cn",
        "api.fireworks.ai",
        "*.services.ai.azure.com",
        "aiplatform.googleapis.com",
        "*-aiplatform.googleapis.com",
    ),
    "openai": (
        "api.openai.com",
        "chatgpt.com",
        "openrouter.ai",
        "api.groq.com",
        "api.deepseek.com",
        "api.mistral.ai",
        "codestral.mistral.ai",
        "api.x.ai",
        "*.api.x.ai",
        "api.moonshot.ai",
        "api.moonshot.cn",
        "api.together.ai",
        "api.together.xyz",
        "api.fireworks.ai",
        "api.cerebras.ai",
        "*.api.openai.com",
    ),
    "azure": (
        "*.openai.azure.com",
        "*.services.ai.azure.com",
        "*.cognitiveservices.azure.com",
    ),
    "gemini": (
        "generativelanguage.googleapis.com",
        "aiplatform.googleapis.com",
        "*-aiplatform.googleapis.com",
    ),
    "vertex": (
        "aiplatform.googleapis.com",
        "*-aiplatform.googleapis.com",
        "aiplatform.*.rep.googleapis.com",
    ),
    "bedrock": (
        "bedrock-runtime.*.amazonaws.com",
        "bedrock-runtime-fips.*.amazonaws.com",
        "bedrock-runtime.*.amazonaws.com.cn",
        "bedrock-runtime.*.amazonaws.eu",
        "bedrock-runtime.*.api.aws",
        "bedrock-mantle.*.api.aws",
    ),
}
