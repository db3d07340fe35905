package amqp

import (
	"net/http"
	"net/url"

	driver "github.com/rabbitmq/amqp091-go"

	"weir/dataplane/destination"
)

// Preview returns the messages of a batch as requests: exchange and routing key are the
// address, properties are headers.
func (s *server) Preview(b destination.Batch) (reqs []destination.Request, _ []destination.Verdict) {
	for i := range b.Items {
		m := s.message(&b.Items[i])
		header := http.Header{"content-type": {m.ContentType}, "delivery-mode": {"transient"}, "message-id": {m.MessageId}, "type": {m.Type}}
		if m.DeliveryMode == driver.Persistent {
			header["delivery-mode"] = []string{"persistent"}
		}
		reqs = append(reqs, destination.Request{
			Method: "PUBLISH", URL: "amqp://" + url.PathEscape(s.settings.Exchange) + "/" + url.PathEscape(s.routingKey(&b.Items[i])), Header: header, Body: m.Body, Items: []int{i},
		})
	}
	return reqs, nil
}
