"""RabbitMQ: the queue between accept and apply, on quorum queues with publisher confirms."""
