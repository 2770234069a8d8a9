"""Makes topics, for producers that share no code with Viewmill."""

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient


def create(bootstrap, topics):
    """Makes those of these (NewTopic) that are absent."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics(topics, operation_timeout=30).values():
        try:
            future.result(timeout=60)
        except KafkaException as error:
            # Whoever reads them may make them at the same time.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
