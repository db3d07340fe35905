package awskinesis_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	awskinesis "weir/dataplane/destinations/aws-kinesis"
	"weir/dataplane/outbound/auth"
	"weir/dataplane/syncs/syncstest"
	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/workspace/activation"
)

// stream is a stream that refuses what Kinesis refuses, and takes as it is told.
type stream struct {
	*httptest.Server
	t *testing.T

	mu     sync.Mutex
	keys   []string // of what was taken, in order
	taken  [][]byte
	refuse func(request, record int) string
	answer func() (status int, body string)
	asked  int
}

func newStream(t *testing.T) *stream {
	s := &stream{t: t}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *stream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	var in struct {
		StreamName string
		Records    []struct {
			Data         []byte
			PartitionKey string
		}
	}
	body, err := io.ReadAll(r.Body)
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	fail := func(name string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":%q,"message":"no"}`, name)
	}
	credential := "AWS4-HMAC-SHA256 Credential=made-up-key/"
	auth := r.Header.Get("Authorization")
	switch {
	case err != nil || d.Decode(&in) != nil || len(in.Records) == 0 || len(in.Records) > 500 || len(body) > 10<<20:
		fail("SerializationException")
		return
	case r.Header.Get("X-Amz-Target") != "Kinesis_20131202.PutRecords" || r.Header.Get("Content-Type") != "application/x-amz-json-1.1" || r.Method != http.MethodPost || r.URL.Path != "/":
		fail("UnknownOperationException")
		return
	case !strings.HasPrefix(auth, credential) || !strings.Contains(auth, "/eu-central-1/kinesis/aws4_request") || r.Header.Get("X-Amz-Date") == "":
		fail("com.amazon.coral.service#UnrecognizedClientException")
		return
	case in.StreamName != "events":
		fail("ResourceNotFoundException")
		return
	}
	if s.answer != nil {
		status, text := s.answer()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
		return
	}
	var out struct {
		FailedRecordCount int
		Records           []map[string]string
	}
	for i, rec := range in.Records {
		if len(rec.PartitionKey) == 0 || len(rec.Data) > 1<<20 {
			fail("ValidationException")
			return
		}
		if s.refuse != nil && s.refuse(s.asked, i) != "" {
			out.FailedRecordCount++
			out.Records = append(out.Records, map[string]string{"ErrorCode": s.refuse(s.asked, i), "ErrorMessage": "no"})
			continue
		}
		var e struct{ MessageID string }
		if err := json.Unmarshal(rec.Data, &e); err != nil {
			s.t.Error(err)
		}
		s.keys, s.taken = append(s.keys, e.MessageID+" "+rec.PartitionKey), append(s.taken, rec.Data)
		out.Records = append(out.Records, map[string]string{"SequenceNumber": "1", "ShardId": "shardId-000000000000"})
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (s *stream) send(stream string, events ...string) []string {
	s.t.Helper()
	return destinationtest.Send(s.t, awskinesis.Kind(), fmt.Sprintf(`{"stream":%q,"region":"eu-central-1","baseUrl":%q}`, stream, s.URL),
		map[string]string{"accessKey": "made-up-key", "secretKey": "made-up-secret"}, events...)
}

func event(n int, user string) string {
	return fmt.Sprintf(`{"messageId":"m%d","type":"track","userId":%q}`, n, user)
}

// TestPartialFailures tries again what a shard did not take, and lets nothing of a user
// overtake it.
func TestPartialFailures(t *testing.T) {
	t.Parallel()
	s := newStream(t)
	s.refuse = func(request, record int) string {
		if request == 1 && record == 0 {
			return "ProvisionedThroughputExceededException"
		}
		return ""
	}
	got := s.send("events", event(1, "ada"), event(2, "eve"), event(3, "ada"), event(4, "eve"))
	if want := []string{"retry aws_kinesis_throttled", "delivered", "untried", "untried"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if want := []string{"m2 eve"}; !slices.Equal(s.keys, want) {
		t.Errorf("%q was taken, want %q", s.keys, want)
	}
	s.send("events", event(1, "ada"), event(3, "ada"), event(4, "eve"))
	if want := []string{"m2 eve", "m1 ada", "m4 eve", "m3 ada"}; !slices.Equal(s.keys, want) {
		t.Errorf("%q was taken, want %q", s.keys, want)
	}
}

// TestSyncs has the rows of a model as records, from which their state can be read, whatever
// is lost on the way and a shard does not take; a row's key is that of its records.
func TestSyncs(t *testing.T) {
	t.Parallel()
	s := newStream(t)
	s.refuse = func(request, record int) string {
		if (request*7+record)%9 == 0 {
			return "ProvisionedThroughputExceededException"
		}
		return ""
	}
	o, err := awskinesis.Kind().Open(fmt.Appendf(nil, `{"stream":"events","region":"eu-central-1","baseUrl":%q}`, s.URL),
		map[string]secret.String{"accessKey": secret.NewString("made-up-key"), "secretKey": secret.NewString("made-up-secret")})
	if err != nil {
		t.Fatal(err)
	}
	syncstest.Keeps(t, syncstest.Kept{
		Opened: o, Sync: activation.Sync{Object: "record"},
		Records: func() map[string]string {
			s.mu.Lock()
			defer s.mu.Unlock()
			return syncstest.Replay(t, s.taken...)
		},
		Break: func(broken bool) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.answer = nil; broken {
				s.answer = func() (int, string) { return 400, `{"__type":"AccessDeniedException","message":"no"}` }
			}
		},
	}, 4)
	for _, k := range s.keys {
		if _, key, _ := strings.Cut(k, " "); !strings.HasPrefix(key, "p") {
			t.Fatalf("a record has the key %q, want that of its row", key)
		}
	}
}

// TestErrors has an outcome and a code for what Kinesis answers.
func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status int
		body   string
		want   string
	}{
		"an internal failure":             {500, `{"__type":"InternalFailure"}`, "retry server_error"},
		"unavailable":                     {503, ``, "retry server_error"},
		"no right":                        {400, `{"__type":"AccessDeniedException","message":"no"}`, "retry aws_kinesis_denied"},
		"a signature that is wrong":       {403, `{"__type":"com.amazonaws#InvalidSignatureException"}`, "retry aws_kinesis_denied"},
		"a key of KMS":                    {400, `{"__type":"KMSDisabledException"}`, "retry aws_kinesis_encryption"},
		"too much":                        {400, `{"__type":"LimitExceededException"}`, "retry aws_kinesis_throttled"},
		"a bad record":                    {400, `{"__type":"ValidationException","message":"no"}`, "dead rejected_400"},
		"a whole answer of another":       {200, `{}`, "retry unexpected_status"},
		"an internal failure of a record": {200, `{"FailedRecordCount":1,"Records":[{"ErrorCode":"InternalFailure","ErrorMessage":"no"}]}`, "retry server_error"},
	} {
		s := newStream(t)
		s.answer = func() (int, string) { return tc.status, tc.body }
		if got := s.send("events", event(1, "ada")); got[0] != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	s := newStream(t)
	if got := s.send("other", event(1, "ada")); got[0] != "retry aws_kinesis_no_stream" {
		t.Errorf("a stream that there is not: %q", got)
	}
}

// TestARecordThatIsTooLarge is dead, and its neighbour is put.
func TestARecordThatIsTooLarge(t *testing.T) {
	t.Parallel()
	s := newStream(t)
	large := fmt.Sprintf(`{"messageId":"m1","userId":"ada","properties":{"x":%q}}`, strings.Repeat("x", 1<<20))
	if got, want := s.send("events", large, event(2, "ada")), []string{"dead aws_kinesis_too_large", "delivered"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestTheRoleOfTheMachine takes the place of keys, which are wanted without it.
func TestTheRoleOfTheMachine(t *testing.T) {
	t.Parallel()
	keys := map[string]secret.String{"accessKey": secret.NewString("made-up-key"), "secretKey": secret.NewString("made-up-secret")}
	for name, tc := range map[string]struct {
		settings string
		secrets  map[string]secret.String
		problems []string
	}{
		"nothing": {`{"stream":"events","region":"eu-central-1"}`, nil, []string{"secrets.accessKey", "secrets.secretKey"}},
		"both":    {`{"stream":"events","region":"eu-central-1","machineRole":true}`, keys, []string{"secrets.accessKey", "secrets.secretKey"}},
		"keys":    {`{"stream":"events","region":"eu-central-1"}`, keys, nil},
		"a role":  {`{"stream":"events","region":"eu-central-1","machineRole":true}`, nil, nil},
	} {
		_, err := awskinesis.Kind().Open([]byte(tc.settings), tc.secrets)
		var got []string
		for _, p := range fault.ProblemsOf(err) {
			got = append(got, p.Path)
		}
		if !slices.Equal(got, tc.problems) {
			t.Errorf("%s: problems of %q, want %q", name, got, tc.problems)
		}
	}
	s := newStream(t)
	o, err := awskinesis.Kind().Open(fmt.Appendf(nil, `{"stream":"events","region":"eu-central-1","machineRole":true,"baseUrl":%q}`, s.URL), nil)
	if err != nil {
		t.Fatal(err)
	}
	ring := auth.New(nil)
	r := destination.Request{Method: "POST", URL: s.URL + "/", Body: []byte("{}")}
	if _, _, err := ring.Request(t.Context(), o, r, time.Now()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without a role: %v, want Unavailable", err)
	}
	ring.Machine = func(context.Context) (string, string, string, error) {
		return "role-key", "role-secret", "role-session", nil
	}
	signed, _, err := ring.Request(t.Context(), o, r, time.Now())
	if err != nil || !strings.HasPrefix(signed.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=role-key/") || signed.Header.Get("X-Amz-Security-Token") != "role-session" {
		t.Errorf("%v, %v, want it signed by the role", signed.Header, err)
	}
}
