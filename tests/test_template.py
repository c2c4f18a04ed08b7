"""template.yml, deployed to an AWS in this process, is what the code and the design ask for."""

import ast
import json
import re
from types import SimpleNamespace

import boto3
import pytest
from django.conf import settings
from moto import mock_aws
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

from tickets import deadletters, provisioning, queue

REGION = "eu-west-1"
ACCOUNT = "123456789012"
QUEUE_ARN = f"arn:aws:sqs:{REGION}:{ACCOUNT}:timelessmusic-purchase"
SECRET_ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:timelessmusic-AbCdEf"
PARAMETERS = {"SettingsSecretArn": SECRET_ARN, "SenderAddress": "TimelessMusic <tickets@example.com>"}
TEMPLATE = yaml_parse((settings.BASE_DIR / "template.yml").read_text())
FUNCTIONS = ("purchase", "worker", "manage")


class ManagedPolicies:
    """Name AWS's own policies to the transform, which would ask IAM."""

    def load(self):
        names = ("AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole", "AWSLambdaSQSQueueExecutionRole")
        return {name: f"arn:aws:iam::aws:policy/service-role/{name}" for name in names}


pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse .* not supported by moto")


@pytest.fixture(scope="module")
def stack():
    """Transform the template as SAM does, deploy it, and give what AWS then has."""
    template = yaml_parse((settings.BASE_DIR / "template.yml").read_text())
    for name in FUNCTIONS:  # What `sam build` and `sam deploy` put there.
        template["Resources"][name]["Properties"]["ImageUri"] = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/shop:1"
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        template = transform(template, PARAMETERS, ManagedPolicies())
        cloudformation = boto3.client("cloudformation")
        cloudformation.create_stack(
            StackName="shop",
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in PARAMETERS.items()],
            Capabilities=["CAPABILITY_IAM"],
        )
        [described] = cloudformation.describe_stacks(StackName="shop")["Stacks"]
        functions = boto3.client("lambda")
        yield SimpleNamespace(
            status=described["StackStatus"],
            outputs={output["OutputKey"]: output for output in described["Outputs"]},
            exports={export["Name"]: export["Value"] for export in cloudformation.list_exports()["Exports"]},
            template=template["Resources"],
            functions={
                name: next(f for f in functions.list_functions()["Functions"] if f"-{name}-" in f["FunctionName"])
                for name in FUNCTIONS
            },
            mappings=functions.list_event_source_mappings()["EventSourceMappings"],
        )


def _attributes(url):
    return boto3.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]


def _plain(attributes):
    return {
        name: json.loads(value) if value.startswith("{") else value
        for name, value in attributes.items()
        if name in (*provisioning.queue_attributes(""), *provisioning.dlq_attributes())
    }


def _statements(role):
    iam = boto3.client("iam")
    [name] = [found["RoleName"] for found in iam.list_roles()["Roles"] if f"-{role}-" in found["RoleName"]]
    policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in policies]
    # moto keeps the document of a stack's role as Python would print it.
    return [statement for document in documents for statement in ast.literal_eval(document)["Statement"]]


def _allowed(role):
    allowed = set()
    for statement in _statements(role):
        assert statement["Effect"] == "Allow"
        actions, resources = statement["Action"], statement["Resource"]
        for action in [actions] if isinstance(actions, str) else actions:
            for resource in [resources] if isinstance(resources, str) else resources:
                allowed.add((action, resource))
    return allowed


def test_it_deploys(stack):
    assert stack.status == "CREATE_COMPLETE"


def test_the_queues_are_those_that_the_code_makes(stack):
    url = stack.outputs["queueUrl"]["OutputValue"]
    dead = stack.outputs["deadLetterQueueUrl"]["OutputValue"]
    assert _plain(_attributes(url)) == _plain(provisioning.queue_attributes(f"{QUEUE_ARN}-dlq"))
    assert _plain(_attributes(dead)) == _plain(
        provisioning.dlq_attributes() | {"VisibilityTimeout": "30", "ReceiveMessageWaitTimeSeconds": "0"}
    )


def test_only_the_queue_may_use_its_dlq():
    policy = TEMPLATE["Resources"]["ticketPurchasedDeadLetterQueue"]["Properties"]["RedriveAllowPolicy"]
    arn = policy["sourceQueueArns"][0]["Fn::Sub"]
    for name, value in {"Partition": "aws", "Region": REGION, "AccountId": ACCOUNT}.items():
        arn = arn.replace(f"${{AWS::{name}}}", value)
    wanted = json.loads(provisioning.redrive_allowed_from(QUEUE_ARN)["RedriveAllowPolicy"])
    assert policy | {"sourceQueueArns": [arn]} == wanted


@pytest.mark.parametrize(
    ("policy", "name"),
    [("queuePolicy", "ticketPurchasedQueue"), ("deadLetterQueuePolicy", "ticketPurchasedDeadLetterQueue")],
)
def test_nobody_speaks_to_a_queue_without_tls(policy, name):
    properties = TEMPLATE["Resources"][policy]["Properties"]
    assert properties == {
        "Queues": [{"Ref": name}],
        "PolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "DenyWithoutTLS",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": {"Fn::GetAtt": [name, "Arn"]},
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        },
    }


def test_the_web_application_may_send_and_what_the_dashboard_needs(stack):
    assert _statements("purchaseRole")[0] == {
        "Sid": "PurchaseAllowSQSSendMessage",
        "Effect": "Allow",
        "Action": "sqs:SendMessage",
        "Resource": QUEUE_ARN,
    }
    dead = f"{QUEUE_ARN}-dlq"
    assert _allowed("purchaseRole") == {
        ("sqs:SendMessage", QUEUE_ARN),
        ("sqs:GetQueueAttributes", QUEUE_ARN),
        ("sqs:GetQueueAttributes", dead),
        ("sqs:GetQueueUrl", dead),
        ("sqs:ReceiveMessage", dead),
        ("sqs:ChangeMessageVisibility", dead),
        ("sqs:DeleteMessage", dead),
        ("secretsmanager:GetSecretValue", SECRET_ARN),
    }


def test_the_worker_may_receive_and_park(stack):
    assert _allowed("workerRole") == {
        ("sqs:ReceiveMessage", QUEUE_ARN),
        ("sqs:DeleteMessage", QUEUE_ARN),
        ("sqs:ChangeMessageVisibility", QUEUE_ARN),
        ("sqs:GetQueueAttributes", QUEUE_ARN),
        ("sqs:SendMessage", f"{QUEUE_ARN}-dlq"),
        ("sqs:GetQueueUrl", f"{QUEUE_ARN}-dlq"),
        ("secretsmanager:GetSecretValue", SECRET_ARN),
    }


def test_the_operator_may_publish_look_and_redrive(stack):
    assert _allowed("manageRole") == {
        ("sqs:SendMessage", QUEUE_ARN),
        ("secretsmanager:GetSecretValue", SECRET_ARN),
        ("sqs:DeleteMessage", f"{QUEUE_ARN}-dlq"),
        ("sqs:GetQueueUrl", f"{QUEUE_ARN}-dlq"),
        *(
            (f"sqs:{action}", arn)
            for action in ("GetQueueAttributes", "ReceiveMessage", "ChangeMessageVisibility")
            for arn in (QUEUE_ARN, f"{QUEUE_ARN}-dlq")
        ),
    }


def test_the_web_application_may_do_just_what_it_asks_of_sqs(stack, settings, monkeypatch):
    """Publish, answer /readyz, look at the DLQ, send some of it on its way again and drop the rest."""
    settings.SQS_QUEUE_URL = stack.outputs["queueUrl"]["OutputValue"]
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setattr(deadletters, "POLL_SECONDS", 0)
    asked = set()

    def note(model, params, **_):
        url = json.loads(params["body"]).get("QueueUrl", "-dlq")  # GetQueueUrl is asked for the DLQ's alone
        asked.add((f"sqs:{model.name.removesuffix('Batch')}", f"{QUEUE_ARN}-dlq" if "-dlq" in url else QUEUE_ARN))

    queue.forget()
    for client in (queue.producer(), queue.consumer()):
        client.meta.events.register("before-call.sqs.*", note)
    [mapping] = stack.mappings  # moto would run the function.
    boto3.client("lambda").update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    dead_url = stack.outputs["deadLetterQueueUrl"]["OutputValue"]
    for number in "12":
        boto3.client("sqs").send_message(QueueUrl=dead_url, MessageBody=number)
    queue.send([queue.Message({"name": "Ada"})])
    queue.ping()
    assert len(deadletters.browse()) == 2
    assert len(list(deadletters.redrive(lambda letter: letter.body == "1"))) == 1
    assert len(deadletters.drop(deadletters.everything, "a test")) == 1
    queue.forget()
    assert asked == {permission for permission in _allowed("purchaseRole") if permission[0].startswith("sqs:")}


def test_what_others_find(stack):
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/timelessmusic-purchase"
    assert stack.exports["timelessmusic:sqs-queue"] == url
    assert stack.outputs["queueUrl"] == {
        "OutputKey": "queueUrl",
        "OutputValue": url,
        "Description": "The URL of the ticket purchase queue",
        "ExportName": "timelessmusic:sqs-queue",
    }
    assert stack.exports["timelessmusic:sqs-dead-letter-queue"] == f"{url}-dlq"
    # moto knows no HTTP APIs, so their id stays open here.
    assert stack.exports["timelessmusic:api-endpoint"] == f"https://${{api}}.execute-api.{REGION}.amazonaws.com"
    assert stack.outputs["dashboard"]["OutputValue"] == f"https://${{api}}.execute-api.{REGION}.amazonaws.com/admin/"


def test_the_mapping_hands_over_batches_and_takes_back_what_failed(stack):
    [mapping] = stack.mappings
    keys = ("EventSourceArn", "BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes", "ScalingConfig")
    assert [mapping[key] for key in keys] == [
        QUEUE_ARN,
        queue.BATCH,
        1,
        ["ReportBatchItemFailures"],
        {"MaximumConcurrency": 5},
    ]
    assert mapping["FunctionArn"] == stack.functions["worker"]["FunctionArn"]
    assert stack.functions["worker"]["Timeout"] * 6 == provisioning.VISIBILITY_SECONDS


def test_every_function_gets_settings_that_there_are(stack):
    known = set(re.findall(r"^#?([A-Z_]+)=", (settings.BASE_DIR / ".env.example").read_text(), re.M))
    for name in FUNCTIONS:
        variables = stack.functions[name]["Environment"]["Variables"]
        assert variables["SQS_QUEUE_URL"] == stack.outputs["queueUrl"]["OutputValue"]
        assert set(variables) - known == set()


def test_every_function_runs_one_of_the_handlers(stack):
    images = {name: stack.template[name]["Properties"]["ImageConfig"] for name in FUNCTIONS}
    assert {config["Command"][0] for config in images.values()} == {
        "timelessmusic.lambda_wsgi.handler",
        "tickets.lambda_handler.handler",
        "tickets.lambda_handler.manage",
    }
    assert [config["EntryPoint"] for config in images.values()] == [["python", "-m", "awslambdaric"]] * 3


def test_every_function_writes_to_a_log_that_forgets(stack):
    for name in FUNCTIONS:
        assert stack.template[name]["Properties"]["LoggingConfig"] == {"LogGroup": {"Ref": f"{name}Log"}}
        assert stack.template[f"{name}Log"]["Properties"] == {"RetentionInDays": 30}


def test_the_clock_runs_relay_and_reconcile(stack):
    rules = [resource["Properties"] for resource in stack.template.values() if resource["Type"] == "AWS::Events::Rule"]
    assert {rule["ScheduleExpression"]: json.loads(rule["Targets"][0]["Input"])["arguments"] for rule in rules} == {
        "rate(1 minute)": ["queue", "publish"],
        "rate(1 hour)": ["queue", "reconcile", "--older-than", "3600", "--repair"],
    }


def test_the_alarms_watch_what_can_go_wrong(stack):
    """Read in the template, for moto makes no alarms from one."""
    alarms = {
        name: stack.template[f"{name}Alarm"]["Properties"] for name in ("parked", "waiting", "errors", "throttles")
    }
    for name, metric, queue_name, threshold in (
        ("parked", "ApproximateNumberOfMessagesVisible", "ticketPurchasedDeadLetterQueue", 0),
        ("waiting", "ApproximateAgeOfOldestMessage", "ticketPurchasedQueue", 600),
    ):
        dimension = {"Name": "QueueName", "Value": {"Fn::GetAtt": [queue_name, "QueueName"]}}
        watched = (alarms[name]["MetricName"], alarms[name]["Dimensions"], alarms[name]["Threshold"])
        assert watched == (metric, [dimension], threshold)
    for name, metric in (("errors", "Errors"), ("throttles", "Throttles")):
        total, *parts = alarms[name]["Metrics"]
        watched = [
            (part["MetricStat"]["Metric"]["MetricName"], part["MetricStat"]["Metric"]["Dimensions"]) for part in parts
        ]
        assert watched == [(metric, [{"Name": "FunctionName", "Value": {"Ref": name}}]) for name in FUNCTIONS]
        assert (total["Expression"], alarms[name]["Threshold"]) == (" + ".join(FUNCTIONS), 0)
    told = [{"Ref": "alarms"}]
    assert [(alarm["AlarmActions"], alarm["OKActions"]) for alarm in alarms.values()] == [(told, told)] * 4
