// Package awskinesis puts events as records into a stream of Amazon Kinesis Data Streams.
//
// A request holds one record of a partition key at most: a stream takes some records of a
// request and refuses others, so that of two with one key the second could come first.
// Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
package awskinesis

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
	"unicode/utf8"

	"weir/dataplane/destination"
	"weir/dataplane/destination/fields"
	"weir/shared/fault"
)

//go:embed spec.yaml
var spec []byte

// Kind is the destination kind aws-kinesis.
var Kind = destination.Define(spec, New)

// Limits of Kinesis.
const (
	mostData = 1 << 20 // bytes of a record's data and key
	mostKey  = 256     // characters of a key
)

type stream struct{ settings Settings }

// Check wants keys, or the machine's role in their place.
func (s *Settings) Check() (all []fault.Problem) {
	given := map[string]bool{"accessKey": s.Secrets.AccessKey.Reveal() != "", "secretKey": s.Secrets.SecretKey.Reveal() != ""}
	for _, name := range []string{"accessKey", "secretKey"} {
		switch {
		case !s.MachineRole && !given[name]:
			all = append(all, fault.Problem{Path: "secrets." + name, Code: "required", Text: "Give the secret " + name + ", or set machineRole where the plane's owner allows it."})
		case s.MachineRole && given[name]:
			all = append(all, fault.Problem{Path: "secrets." + name, Code: "not_allowed", Text: "With machineRole the plane signs in as its machine: leave " + name + " out, or machineRole."})
		}
	}
	return all
}

// New takes what the spec checked.
func New(s Settings) (destination.Destination, error) { return &stream{s}, nil }

// record is a record of PutRecords. Data is written in base64.
type record struct {
	Data         []byte
	PartitionKey string
}

// Build makes as many requests as the batch has records of the commonest key.
func (s *stream) Build(b destination.Batch) (reqs []destination.Request, verdicts []destination.Verdict) {
	var requests [][]record
	var items [][]int
	next := map[string]int{} // by key, the request that its next record goes into
	for i := range b.Items {
		r := record{Data: b.Items[i].Body(), PartitionKey: s.key(&b.Items[i])}
		if s.settings.Newline {
			r.Data = append(append(make([]byte, 0, len(r.Data)+1), r.Data...), '\n')
		}
		if len(r.Data)+len(r.PartitionKey) > mostData {
			verdicts = append(verdicts, destination.Verdict{Item: i, Outcome: destination.Dead, Code: CodeTooLarge, Detail: "Kinesis takes records of up to 1 MiB, with their key."})
			continue
		}
		n := next[r.PartitionKey]
		next[r.PartitionKey]++
		if n == len(requests) {
			requests, items = append(requests, nil), append(items, nil)
		}
		requests[n], items[n] = append(requests[n], r), append(items[n], i)
	}
	for n, records := range requests {
		body := make([]byte, 0, 256+base64.StdEncoding.EncodedLen(len(records)*1024))
		body = append(append(append(body, `{"StreamName":"`...), s.settings.Stream...), `","Records":[`...) // the spec's pattern needs no escapes
		for i, r := range records {
			if i > 0 {
				body = append(body, ',')
			}
			key, err := json.Marshal(r.PartitionKey)
			if err != nil {
				continue // a string always is
			}
			body = append(base64.StdEncoding.AppendEncode(append(body, `{"Data":"`...), r.Data), `","PartitionKey":`...)
			body = append(append(body, key...), '}')
		}
		reqs = append(reqs, destination.Request{
			Method: http.MethodPost, URL: s.settings.Base + "/", Body: append(body, "]}"...), Items: items[n],
			Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"Kinesis_20131202.PutRecords"}},
		})
	}
	return reqs, verdicts
}

// key is the partition key of an event: 1 to 256 characters. A longer one is its SHA-256.
func (s *stream) key(item *destination.Item) string {
	var key string
	switch s.settings.Key {
	case "user":
		key = item.Event.User
	case "messageId":
	default:
		key = fields.Value(item.Event.JSON).Get(strings.Split(s.settings.Key, ".")...).Text()
	}
	if key == "" {
		key = string(item.Event.MessageID)
	}
	if key = strings.ToValidUTF8(key, "\uFFFD"); utf8.RuneCountInString(key) > mostKey {
		sum := sha256.Sum256([]byte(key))
		key = hex.EncodeToString(sum[:])
	}
	return key
}

// Judge reads what became of each record.
func (s *stream) Judge(req destination.Request, res destination.Response) []destination.Verdict {
	all := destination.Classify(req, res)
	var answer struct {
		Type    string `json:"__type"`
		Records []struct{ ErrorCode, ErrorMessage string }
	}
	err := json.Unmarshal(res.Body, &answer)
	if res.Status == http.StatusOK {
		for i := range all {
			switch {
			case err != nil || len(answer.Records) != len(all):
				all[i] = destination.Verdict{Item: all[i].Item, Outcome: destination.Retry, Code: "unexpected_status", Detail: "The answer does not say what became of each record."}
			case answer.Records[i].ErrorCode != "":
				all[i].Outcome, all[i].Code, all[i].Detail = destination.Retry, codeOf(answer.Records[i].ErrorCode, "server_error"), answer.Records[i].ErrorMessage
			}
		}
		return all
	}
	if res.Status < 400 || res.Status >= 500 {
		return all
	}
	_, name, found := strings.Cut(answer.Type, "#")
	if !found {
		name = answer.Type
	}
	if code := codeOf(name, ""); code != "" {
		for i := range all {
			all[i].Outcome, all[i].Code = destination.Retry, code
		}
	}
	return all
}

// codeOf is the code of an error of Kinesis that says nothing of the events, else other.
// Source: https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html
func codeOf(name, other string) string {
	switch name {
	case "ProvisionedThroughputExceededException", "LimitExceededException", "ThrottlingException", "KMSThrottlingException", "RequestLimitExceeded":
		return CodeThrottled
	case "ResourceNotFoundException", "ResourceInUseException":
		return CodeNoStream
	case "KMSAccessDeniedException", "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException", "KMSOptInRequired":
		return CodeEncryption
	case "AccessDeniedException", "UnrecognizedClientException", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException",
		"InvalidClientTokenId", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "ExpiredTokenException", "OptInRequired", "NotAuthorized", "RequestExpired":
		return CodeDenied
	}
	return other
}
