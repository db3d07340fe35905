package destination_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/dataplane/destination"
	"weir/shared/wire"
)

func TestClassifyByStatus(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]destination.Verdict{
		100: {Outcome: destination.Retry, Code: "unexpected_status"},
		200: {Outcome: destination.Delivered}, 204: {Outcome: destination.Delivered}, 299: {Outcome: destination.Delivered},
		301: {Outcome: destination.Dead, Code: "redirected", Detail: "why"}, 304: {Outcome: destination.Dead, Code: "redirected", Detail: "why"},
		400: {Outcome: destination.Dead, Code: "rejected_400", Detail: "why"}, 401: {Outcome: destination.Dead, Code: "rejected_401", Detail: "why"},
		418: {Outcome: destination.Dead, Code: "rejected_4xx", Detail: "why"}, 499: {Outcome: destination.Dead, Code: "rejected_4xx", Detail: "why"},
		408: {Outcome: destination.Retry, Code: "busy"}, 425: {Outcome: destination.Retry, Code: "busy"}, 429: {Outcome: destination.Retry, Code: "busy"},
		500: {Outcome: destination.Retry, Code: "server_error"}, 503: {Outcome: destination.Retry, Code: "server_error"}, 599: {Outcome: destination.Retry, Code: "server_error"},
	} {
		got := destination.Classify(destination.Request{Items: []int{4}}, destination.Response{Status: status, Body: []byte("why")})
		want.Item = 4
		if diff := cmp.Diff([]destination.Verdict{want}, got); diff != "" {
			t.Errorf("Classify(%d): -want +got:\n%s", status, diff)
		}
		if want.Code != "" && !wire.Code(want.Code).Known() {
			t.Errorf("code %s is not declared in wire", want.Code)
		}
	}
}
