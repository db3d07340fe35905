package destinations_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations"
)

// TestAnswersToWholeBatchesAreRead: the last event of the largest batch is refused, in an
// answer of 200 that has an element for each event.
func TestAnswersToWholeBatchesAreRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		settings, element, bad, around string
		secrets                        map[string]string
		size                           int
		items                          string // the list in the request
		want                           string
	}{
		"linkedin-conversions": {`"conversions":{"Load":"1"}`, `{"status":201,"id":"made-up-and-as-long-as-a-usual-identifier"}`, `{"status":422,"message":"no"}`, `{"elements":[%s]}`,
			map[string]string{"accessToken": "made-up-token"}, 5000, "elements", "dead linkedin_conversions_refused"},
		"aws-kinesis": {`"region":"eu-central-1","stream":"s"`, `{"SequenceNumber":"49543463076548007577105092703039560359975228518395012686","ShardId":"shardId-000000000000"}`,
			`{"ErrorCode":"InternalFailure","ErrorMessage":"no"}`, `{"FailedRecordCount":1,"Records":[%s]}`,
			map[string]string{"accessKey": "made-up-key", "secretKey": "made-up-secret"}, 500, "Records", "retry "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var in map[string]json.RawMessage
				var items []json.RawMessage
				text, err := io.ReadAll(r.Body)
				if err == nil && json.Unmarshal(text, &in) == nil {
					_ = json.Unmarshal(in[tc.items], &items) // the test fails below
				}
				all := slices.Repeat([]string{tc.element}, max(len(items), 1))
				if len(items) > 1 {
					all[len(items)-1] = tc.bad
				}
				_, _ = fmt.Fprintf(w, tc.around, strings.Join(all, ","))
			}))
			t.Cleanup(srv.Close)
			kinds := destinations.All()
			kind := kinds[slices.IndexFunc(kinds, func(k destination.Kind) bool { return k.Spec.Name == name })]
			var events []string
			for n := range tc.size {
				events = append(events, fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":"u%d","event":"Load","timestamp":"2026-01-02T03:00:00Z","context":{"traits":{"email":"a@example.com"}}}`, n, n))
			}
			got := destinationtest.Send(t, kind, fmt.Sprintf(`{"baseUrl":%q,%s}`, srv.URL, tc.settings), tc.secrets, events...)
			last := got[len(got)-1]
			others := slices.Compact(got[:len(got)-1])
			if !strings.HasPrefix(last, tc.want) || !slices.Equal(others, []string{"delivered"}) {
				t.Errorf("%q and the last %q, want it %q alone", others, last, tc.want)
			}
		})
	}
}
