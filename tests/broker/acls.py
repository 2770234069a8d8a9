"""Gives a user ACLs: acls.py --bootstrap HOST:PORT --user NAME (topic|group|transactional_id):NAME[*]:OPERATION...

A star at the end of a name means every name that begins so. Operations are Kafka's, such as READ or DESCRIBE_CONFIGS.
"""

import argparse

from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, AdminClient, ResourcePatternType, ResourceType


def binding(user: str, text: str) -> AclBinding:
    kind, name, operation = text.split(":")
    pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
    return AclBinding(
        ResourceType[kind.upper()], name.rstrip("*"), pattern, f"User:{user}", "*", AclOperation[operation], AclPermissionType.ALLOW
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("acls", nargs="+")
    arguments = parser.parse_args()
    admin = AdminClient({"bootstrap.servers": arguments.bootstrap})
    for answer in admin.create_acls([binding(arguments.user, text) for text in arguments.acls], request_timeout=20).values():
        answer.result()


if __name__ == "__main__":
    main()
