package outbound

import "net/http"

// WholeAnswer is wholeAnswer.
var WholeAnswer = wholeAnswer

// RoundTrip is what Do sends with.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) { return c.roundTrip(r) }
