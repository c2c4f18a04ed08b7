"""Settings out of AWS Secrets Manager, for functions whose environment whoever may look at them can read."""

import json

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from django.core.exceptions import ImproperlyConfigured


def read(arn: str) -> dict[str, str]:
    """Read a secret, a JSON object of settings' names and values; raise ImproperlyConfigured, which never quotes it."""
    try:
        text = boto3.session.Session().client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        values = json.loads(text)
    except (BotoCoreError, ClientError) as error:
        raise ImproperlyConfigured(f"SETTINGS_SECRET can't be read: {error}") from error
    except (KeyError, ValueError):
        values = None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise ImproperlyConfigured(
            'SETTINGS_SECRET must name a secret that is a JSON object of texts, like {"DATABASE_URL": "postgresql://…"}'
        )
    return values
