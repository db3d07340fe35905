package kafka

import (
	"net/http"
	"net/url"

	"weir/dataplane/destination"
)

// Preview returns the records of a batch as requests: the topic as address, key and headers
// as headers.
func (p *producer) Preview(b destination.Batch) (reqs []destination.Request, _ []destination.Verdict) {
	for i := range b.Items {
		r := p.record(&b.Items[i])
		header := http.Header{}
		for _, h := range r.Headers {
			header[h.Key] = append(header[h.Key], string(h.Value))
		}
		if r.Key != nil {
			header["key"] = []string{string(r.Key)}
		}
		reqs = append(reqs, destination.Request{Method: "PRODUCE", URL: "kafka://" + url.PathEscape(r.Topic), Header: header, Body: r.Value, Items: []int{i}})
	}
	return reqs, nil
}
