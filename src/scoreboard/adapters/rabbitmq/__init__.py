"""RabbitMQ: the queue of updates, on quorum queues with publisher confirms."""
