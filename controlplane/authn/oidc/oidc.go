// Package oidc signs people in at OpenID Connect providers that organizations name: the
// authorization code flow with PKCE (RFC 7636), state and nonce.
//
// It guarantees that an identity comes from an ID token that the provider signed for this
// client and this sign-in, that providers are dialled by egress alone, without redirects,
// within a time and with answers of a bounded size, and that no text of a provider gets
// into an error.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"weir/shared/fault"
)

const (
	callTimeout   = 10 * time.Second
	longestAnswer = 1 << 20 // bytes
	kept          = 10 * time.Minute
	mostKept      = 200 // providers whose addresses and keys are kept
)

// Provider is where an organization's people sign in, and as which client.
type Provider struct {
	Issuer       string // https://…, or http:// on loopback
	ClientID     string
	ClientSecret string // empty for a public client
}

// Flow is what binds the way back to the sign-in that was begun. It is secret.
type Flow struct{ State, Nonce, Verifier string }

// Identity is how a provider names a person.
type Identity struct {
	Issuer   string
	Subject  string
	Email    string // as the provider wrote it; empty where it names none
	Verified bool   // the provider says that the address is the person's
}

// Client speaks to providers. It is safe for concurrent use.
type Client struct {
	http *http.Client

	mu    sync.Mutex
	known map[string]discovered // by issuer
}

type discovered struct {
	provider *oidc.Provider
	at       time.Time
}

// New returns a client that connects by dial.
func New(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *Client {
	return &Client{known: map[string]discovered{}, http: &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     bounded{&http.Transport{DialContext: dial, TLSHandshakeTimeout: callTimeout, ResponseHeaderTimeout: callTimeout, MaxIdleConns: 20, IdleConnTimeout: time.Minute}},
	}}
}

// bounded cuts answers that are too long: what is left of them is no JSON.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, longestAnswer), resp.Body}
	}
	return resp, err
}

// ValidIssuer reports whether an issuer is an https URL, or an http one on loopback.
func ValidIssuer(issuer string) bool {
	return secure(issuer, true) && !strings.ContainsAny(issuer, "?#")
}

// secure reports whether an address is of https, or of http on loopback where plain
// allows that.
func secure(address string, plain bool) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	loopback := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	return u.Scheme == "https" || u.Scheme == "http" && plain && loopback
}

// Check asks a provider for its addresses. fault.Unavailable: it does not answer as one.
func (c *Client) Check(ctx context.Context, issuer string) error {
	_, err := c.discover(ctx, issuer)
	return err
}

// discover returns what a provider says of itself, which is kept for some minutes.
func (c *Client) discover(ctx context.Context, issuer string) (*oidc.Provider, error) {
	c.mu.Lock()
	found, ok := c.known[issuer]
	c.mu.Unlock()
	if ok && time.Since(found.at) < kept {
		return found.provider, nil
	}
	if !ValidIssuer(issuer) {
		return nil, away()
	}
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, c.http), issuer)
	if err != nil {
		return nil, away()
	}
	plain := strings.HasPrefix(issuer, "http://")
	if e := p.Endpoint(); !secure(e.AuthURL, plain) || !secure(e.TokenURL, plain) {
		return nil, away()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= mostKept {
		clear(c.known)
	}
	c.known[issuer] = discovered{p, time.Now()}
	return p, nil
}

func away() error {
	return fault.New(fault.Unavailable, "the identity provider does not answer as an OpenID Connect provider at its issuer's address, or this control plane may not reach it")
}

func config(p Provider, at *oidc.Provider, redirect string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: at.Endpoint(), RedirectURL: redirect,
		Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
	}
}

// Begin returns where the person's browser goes, which comes back to redirect.
func (c *Client) Begin(ctx context.Context, p Provider, redirect string) (address string, f Flow, err error) {
	at, err := c.discover(ctx, p.Issuer)
	if err != nil {
		return "", Flow{}, err
	}
	f = Flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return config(p, at, redirect).AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), f, nil
}

var errRefused = fault.New(fault.Denied, "the identity provider did not sign you in, or its answer does not belong to this sign-in: begin again")

// Answer is what a browser brings back.
type Answer struct{ State, Code, Issuer string }

// Finish exchanges what the browser brought back for who the person is.
//
// fault.Denied: it is not the answer of this sign-in. fault.Unavailable: the provider does
// not answer.
func (c *Client) Finish(ctx context.Context, p Provider, redirect string, f Flow, a Answer) (Identity, error) {
	if f.State == "" || subtle.ConstantTimeCompare([]byte(f.State), []byte(a.State)) != 1 || a.Code == "" {
		return Identity{}, errRefused
	}
	if a.Issuer != "" && a.Issuer != p.Issuer { // RFC 9207: the answer of another provider
		return Identity{}, errRefused
	}
	at, err := c.discover(ctx, p.Issuer)
	if err != nil {
		return Identity{}, err
	}
	ctx = oidc.ClientContext(ctx, c.http)
	token, err := config(p, at, redirect).Exchange(ctx, a.Code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		if answered := (*oauth2.RetrieveError)(nil); errors.As(err, &answered) {
			return Identity{}, errRefused
		}
		return Identity{}, away()
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := at.Verifier(&oidc.Config{ClientID: p.ClientID}).Verify(ctx, raw)
	if err != nil || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(f.Nonce)) != 1 || id.Subject == "" {
		return Identity{}, errRefused
	}
	var said claims
	if err := id.Claims(&said); err != nil {
		return Identity{}, errRefused
	}
	if said.Email == "" { // some say it to the access token alone
		if said, err = c.ask(ctx, at, token, id.Subject); err != nil {
			return Identity{}, err
		}
	}
	return Identity{Issuer: p.Issuer, Subject: id.Subject, Email: said.Email, Verified: bool(said.Verified)}, nil
}

// claims are what a provider says of a person.
type claims struct {
	Email    string `json:"email"`
	Verified truth  `json:"email_verified"`
}

// truth is a boolean, which some providers write as a string. What is neither is false.
type truth bool

func (t *truth) UnmarshalJSON(b []byte) error {
	*t = string(b) == "true" || string(b) == `"true"`
	return nil
}

// ask asks the provider's UserInfo endpoint about the person that the ID token names.
func (c *Client) ask(ctx context.Context, at *oidc.Provider, token *oauth2.Token, subject string) (claims, error) {
	if at.UserInfoEndpoint() == "" {
		return claims{}, nil
	}
	info, err := at.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return claims{}, away()
	}
	var said claims
	if info.Subject != subject || info.Claims(&said) != nil {
		return claims{}, errRefused
	}
	return said, nil
}
