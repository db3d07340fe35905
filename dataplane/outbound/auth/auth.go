// Package auth authorises the requests of destinations, after they were built: a
// request of a kind holds no secret until it is sent. It guarantees that the request
// it is given is not changed, and that lanes that need one access token at once ask
// for one.
//
// It refuses to keep secrets or tokens anywhere but in memory, and to show any in an
// error.
package auth

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"hash"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"weir/dataplane/destination"
	"weir/shared/catalog/requests"
	"weir/shared/fault"
)

// Keyring authorises requests and keeps the access tokens of a plane. It is safe for
// concurrent use.
type Keyring struct {
	// Machine returns keys of AWS for the machine's role; nil: there are none.
	Machine func(ctx context.Context) (accessKey, secretKey, sessionToken string, err error)
	// MachineToken returns an access token of the machine's service account at Google; nil:
	// there is none.
	MachineToken func(ctx context.Context, scope string) (string, error)
	tokens       tokens
}

// New returns a Keyring that gets tokens by do, which sends one request.
func New(do Do) *Keyring { return &Keyring{tokens: tokens{do: do, kept: map[string]*token{}}} }

// Share lets the processes of a plane share tokens; it is called before the first Request.
func (k *Keyring) Share(with *Shared) { k.tokens.shared = with }

// Do sends one request and takes timeout at most; see outbound.Client.Do.
type Do = func(ctx context.Context, r destination.Request, timeout time.Duration) (destination.Response, error)

// minGzip is the smallest body that is worth compressing, in bytes.
const minGzip = 1 << 10

// Request returns r as it is to be sent to a destination, and what Refused has to be
// given when its answer is 401. fault.Invalid: the request cannot be authorised so.
// fault.Unavailable, with the code token_refused or without one: there is no token.
func (k *Keyring) Request(ctx context.Context, o destination.Opened, r destination.Request, now time.Time) (destination.Request, Used, error) {
	var used Used
	if len(o.Auth) == 0 && (!o.Limits.Gzip || len(r.Body) < minGzip) {
		return r, used, nil
	}
	r.Header = maps.Clone(r.Header) // the values are not changed
	if r.Header == nil {
		r.Header = http.Header{}
	}
	for _, a := range o.Auth { // what the body holds comes before what is said of it
		if a.Type == "body" {
			body, err := withMember(r.Body, name(a), value(a))
			if err != nil {
				return r, used, err
			}
			r.Body = body
		}
	}
	if o.Limits.Gzip && len(r.Body) >= minGzip {
		r.Body = compressed(r.Body)
		r.Header["Content-Encoding"] = []string{"gzip"}
	}
	for _, a := range o.Auth {
		var err error
		if a.Type == "serviceAccount" && a.Machine {
			err = k.asMachine(ctx, a, &r)
		} else if a.Type == "oauth2" || a.Type == "serviceAccount" {
			used, err = k.tokens.of(ctx, a, o.Trust, now)
			if err == nil {
				r.Header["Authorization"] = []string{"Bearer " + used.access}
			}
		} else {
			err = k.apply(ctx, a, &r, now)
		}
		if err != nil {
			return r, used, err
		}
	}
	return r, used, nil
}

// Refused forgets the token of a request that was answered 401, and reports whether
// there was one, so that it is worth to authorise and send the request again. The error is
// that of Request: the token was new, and there is no other for a moment, so that a
// destination that refuses all of them is not asked for one with each request.
func (k *Keyring) Refused(used Used, now time.Time) (again bool, err error) {
	if used.key == "" {
		return false, nil
	}
	return true, k.tokens.forget(used, now)
}

// asMachine authorises r as the machine's service account.
func (k *Keyring) asMachine(ctx context.Context, a destination.Auth, r *destination.Request) error {
	if k.MachineToken == nil {
		return noRole()
	}
	access, err := k.MachineToken(ctx, a.Value(func(t requests.Auth) string { return t.Scope }))
	if err == nil {
		r.Header["Authorization"] = []string{"Bearer " + access}
	}
	return err
}

func noRole() error {
	return &fault.Error{Kind: fault.Unavailable, Problems: []fault.Problem{{Code: "token_refused", Text: "There is no role of a machine here."}}}
}

func name(a destination.Auth) string { return a.Value(func(t requests.Auth) string { return t.Name }) }
func value(a destination.Auth) string {
	return a.Value(func(t requests.Auth) string { return t.Value })
}

// apply does what needs no token. The header of r is its own.
func (k *Keyring) apply(ctx context.Context, a destination.Auth, r *destination.Request, now time.Time) error {
	set := func(name, value string) { r.Header[http.CanonicalHeaderKey(name)] = []string{value} }
	switch a.Type {
	case "header":
		set(name(a), value(a))
	case "bearer":
		set("Authorization", "Bearer "+value(a))
	case "basic":
		user := a.Value(func(t requests.Auth) string { return t.User }) + ":" + a.Value(func(t requests.Auth) string { return t.Password })
		set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user)))
	case "query":
		sep := "?"
		if strings.Contains(r.URL, "?") {
			sep = "&"
		}
		r.URL += sep + url.QueryEscape(name(a)) + "=" + url.QueryEscape(value(a))
	case "hmac":
		set(name(a), value(a)+signature(a, r.Body))
	case "url":
		rest, ok := strings.CutPrefix(r.URL, a.Base)
		if !ok {
			return fault.New(fault.Invalid, "The request does not go to the kind's address.")
		}
		r.URL = behind(value(a), rest)
	case "sigv4":
		return k.signV4(ctx, a, r, now)
	}
	return nil
}

// behind is an address with the path and query of rest behind its own.
func behind(address, rest string) string {
	path, query, _ := strings.Cut(address, "?")
	morePath, moreQuery, _ := strings.Cut(rest, "?")
	if morePath != "" {
		path = strings.TrimRight(path, "/") + morePath
	}
	if query = strings.Trim(query+"&"+moreQuery, "&"); query != "" {
		path += "?" + query
	}
	return path
}

// signature is the HMAC of body.
func signature(a destination.Auth, body []byte) string {
	of := map[string]func() hash.Hash{"": sha256.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}[a.Value(func(t requests.Auth) string { return t.Hash })]
	mac := hmac.New(of, []byte(a.Value(func(t requests.Auth) string { return t.Key })))
	mac.Write(body)
	if a.Value(func(t requests.Auth) string { return t.Encoding }) == "base64" {
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// withMember puts a member first into a JSON object.
func withMember(body []byte, name, value string) ([]byte, error) {
	rest := bytes.TrimLeft(body, " \t\r\n")
	if len(rest) < 2 || rest[0] != '{' {
		return nil, fault.New(fault.Invalid, "The request has no JSON object to put the credentials in.")
	}
	member, err := json.Marshal(map[string]string{name: value})
	if err != nil {
		return nil, fault.New(fault.Invalid, "The credentials cannot be written as JSON.")
	}
	rest = rest[1:]
	out := make([]byte, 0, len(member)+len(rest))
	out = append(out, member[:len(member)-1]...)
	if left := bytes.TrimLeft(rest, " \t\r\n"); len(left) > 0 && left[0] != '}' {
		out = append(out, ',')
	}
	return append(out, rest...), nil
}

// compressed is body as gzip.
func compressed(body []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(body) // into memory
	_ = w.Close()
	return out.Bytes()
}

// signV4 signs r as AWS asks for it, as it is sent: the host comes from the URL.
func (k *Keyring) signV4(ctx context.Context, a destination.Auth, r *destination.Request, now time.Time) error {
	hr, err := http.NewRequestWithContext(ctx, r.Method, r.URL, nil)
	if err != nil {
		return fault.New(fault.Invalid, "HTTP cannot carry the request.")
	}
	hr.Header, hr.ContentLength = r.Header, int64(len(r.Body))
	sum := sha256.Sum256(r.Body)
	keys := aws.Credentials{
		AccessKeyID:     a.Value(func(t requests.Auth) string { return t.AccessKey }),
		SecretAccessKey: a.Value(func(t requests.Auth) string { return t.SecretKey }),
		SessionToken:    a.Value(func(t requests.Auth) string { return t.SessionToken }),
	}
	if a.Machine {
		if k.Machine == nil {
			return noRole()
		}
		if keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken, err = k.Machine(ctx); err != nil {
			return err
		}
	}
	service, region := a.Value(func(t requests.Auth) string { return t.Service }), a.Value(func(t requests.Auth) string { return t.Region })
	payload := hex.EncodeToString(sum[:])
	if service == "s3" {
		r.Header["X-Amz-Content-Sha256"] = []string{payload}
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" })
	if err := signer.SignHTTP(ctx, keys, hr, payload, service, region, now); err != nil {
		return fault.New(fault.Invalid, "The request cannot be signed.")
	}
	return nil
}
