package s3

import (
	"net/http"

	"weir/dataplane/destination"
)

// Preview returns the files of a batch as requests, with bucket and key as address.
func (b *sink) Preview(batch destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	for _, f := range b.divide(batch) {
		body, err := b.encode(f)
		if err != nil {
			for _, i := range f.items {
				verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dead, Code: "kind_fault"})
			}
			continue
		}
		reqs = append(reqs, destination.Request{Method: http.MethodPut, URL: "s3://" + b.settings.Bucket + "/" + f.key, Body: body, Items: f.items})
	}
	return reqs, verdicts
}
