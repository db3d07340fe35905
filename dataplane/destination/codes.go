package destination

import (
	"strconv"
	"strings"
)

// Codes of verdicts. Further ones are rejected_<status> for the statuses of
// rejections, and the codes that a kind declares itself.
const (
	codeEgress   = "egress_denied"     // dead: the plane's policy forbids the address; retry: those of the name
	codeRedirect = "redirected"        // dead: redirects are not followed
	codeRejected = "rejected_4xx"      // dead: a 4xx without a code of its own
	codeFault    = "kind_fault"        // dead: the kind's code failed on this event
	codeDNS      = "dns"               // retry: the host's name leads nowhere
	codeRefused  = "refused"           // retry: nobody listens there
	codeTLS      = "tls"               // retry: no TLS, or a certificate that is not trusted
	codeNetwork  = "network"           // retry: no answer for another reason
	codeTimeout  = "timeout"           // retry: no answer in time
	codeBusy     = "busy"              // retry: 408, 425, 429
	codeServer   = "server_error"      // retry: 5xx
	codeUnknown  = "unexpected_status" // retry: 1xx
	codeToken    = "token_refused"     // retry: the destination gives no access token
)

// rejections are the statuses with a code of their own.
// Source: https://www.iana.org/assignments/http-status-codes
const rejections = "400 401 402 403 404 405 406 407 409 410 411 412 413 414 415 416 417 421 422 423 424 426 428 431 451 "

// Classify gives each item of the request the verdict that HTTP itself suggests:
// 2xx delivered; 408, 425, 429, 5xx and 1xx retry; 3xx dead, since redirects
// are not followed; other 4xx dead with the answer's beginning as detail. 400, 413
// and 422 split a request with several items. Most kinds return it from Judge as it is.
func Classify(req Request, res Response) []Verdict {
	v := Verdict{Outcome: Delivered}
	switch s := res.Status; {
	case s >= 200 && s < 300:
	case s == 408 || s == 425 || s == 429:
		v = Verdict{Outcome: Retry, Code: codeBusy}
	case s >= 500:
		v = Verdict{Outcome: Retry, Code: codeServer}
	case s < 200:
		v = Verdict{Outcome: Retry, Code: codeUnknown}
	case s < 400:
		v = Verdict{Outcome: Dead, Code: codeRedirect}
	default:
		v = Verdict{Outcome: Dead, Code: codeRejected}
		if text := strconv.Itoa(s); strings.Contains(rejections, text+" ") {
			v.Code = "rejected_" + text
		}
	}
	if v.Outcome == Dead {
		v.Detail = detail(res.Body)
		if to := res.Header.Get("Location"); to != "" && v.Code == codeRedirect {
			v.Detail = detail([]byte("Redirects to " + to))
		}
		if s := res.Status; len(req.Items) > 1 && (s == 400 || s == 413 || s == 422) {
			v.Outcome = Split // one bad item is enough for such an answer
		}
	}
	all := make([]Verdict, len(req.Items))
	for i, item := range req.Items {
		all[i] = v
		all[i].Item = item
	}
	return all
}

// maxDetail is how much of an answer a dead letter keeps, in bytes.
const maxDetail = 2 << 10

// detail is the beginning of an answer as text.
func detail(body []byte) string {
	return strings.ToValidUTF8(string(body[:min(len(body), maxDetail)]), "\uFFFD")
}
