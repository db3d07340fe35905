package web

import (
	"fmt"
	"net/http"

	"github.com/klauspost/compress/gzhttp"
)

// Limits of compression. leastCompressed is in bytes: what fits into one packet does not come sooner
// when it is smaller. jitter is up to how many bytes each compressed answer is made longer, so
// that its length does not tell what it holds (breachattack.com).
const (
	leastCompressed = 1400
	jitter          = 32
)

// Compressed has JSON sent compressed to who takes that. Streams of events, and what is
// compressed already, stay as they are.
func Compressed(next http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(
		gzhttp.MinSize(leastCompressed),
		gzhttp.CompressionLevel(1), // answers are made for one caller each
		gzhttp.ContentTypes([]string{"application/json", "application/problem+json"}),
		gzhttp.RandomJitter(jitter, leastCompressed, false),
	)
	if err != nil {
		return nil, fmt.Errorf("compress answers: %w", err)
	}
	return wrap(next), nil
}
