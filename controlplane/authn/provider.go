package authn

import (
	"context"
	"encoding/json"
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"

	"weir/controlplane/authn/oidc"
	"weir/controlplane/store"
	"weir/controlplane/store/accounts"
	"weir/shared/fault"
)

// FlowLifetime is how long somebody may take to sign in at a provider.
const FlowLifetime = 10 * time.Minute

// mostDomains is how many domains of e-mail addresses a provider is for.
const mostDomains = 50

// flow is a sign-in at a provider that was begun. The browser keeps it, encrypted.
type flow struct {
	oidc.Flow
	Organization store.OrganizationID
	Redirect     string // where the provider sends the browser
	Back         string // the page of the console to go on with
	Expires      time.Time
}

// flowName binds what the browser keeps to its use.
const flowName = "sign-in at an identity provider"

var errFlow = fault.New(fault.Denied, "this browser began no sign-in that this answer belongs to, or it took too long: begin again")

// BeginProvider begins a sign-in at the provider of an organization: where the browser
// goes, and what it has to bring back with the answer within FlowLifetime.
//
// fault.Missing: there is no such organization, or it has no provider. fault.Unavailable:
// the provider is away.
func (s *Service) BeginProvider(ctx context.Context, organization, redirect, back string) (address, kept string, err error) {
	p, secret, err := s.provider(ctx, organization)
	if err != nil {
		return "", "", err
	}
	address, begun, err := s.oidc.Begin(ctx, oidc.Provider{Issuer: p.Issuer, ClientID: p.ClientID, ClientSecret: secret}, redirect)
	if err != nil {
		return "", "", err
	}
	text, err := json.Marshal(flow{begun, p.Organization, redirect, OwnPage(back), s.now().Add(FlowLifetime)})
	if err != nil {
		return "", "", fmt.Errorf("begin a sign-in at a provider: %w", err)
	}
	return address, letters.EncodeToString(s.atrest.Encrypt(flowName, text)), nil
}

// ownPage is the form of an address on the console's own origin: browsers read // and /\
// as another host.
var ownPage = regexp.MustCompile(`^/([A-Za-z0-9._~?&=%#:+-][A-Za-z0-9._~?&=%#:+/-]*)?$`)

// OwnPage is an address that stays on the console's own origin: page, else its top.
func OwnPage(page string) string {
	if len(page) > 2000 || !ownPage.MatchString(page) {
		return "/"
	}
	return page
}

// provider finds that of an organization by its name.
func (s *Service) provider(ctx context.Context, organization string) (p accounts.Provider, secret string, err error) {
	none := fault.New(fault.Missing, "there is no organization of this name with an identity provider")
	org, err := s.tenancy.OrganizationByName(ctx, organization)
	if missing(err) {
		return p, "", none
	}
	if err != nil {
		return p, "", err
	}
	if p, err = s.accounts.Provider(ctx, org.ID); missing(err) {
		return p, "", none
	}
	if err != nil {
		return p, "", err
	}
	secret, err = s.clientSecret(p)
	return p, secret, err
}

// secretOf binds a client's secret to what it is for: nobody has it sent elsewhere.
func secretOf(p accounts.Provider) string {
	return strings.Join([]string{"client secret", string(p.Organization), p.Issuer, p.ClientID}, "\n")
}

func (s *Service) clientSecret(p accounts.Provider) (string, error) {
	if len(p.Secret) == 0 {
		return "", nil
	}
	clear, err := s.atrest.Decrypt(secretOf(p), p.Secret)
	return string(clear), err
}

// FinishProvider signs in the person that a provider sent back, for its organization
// alone, and returns the page of the console to go on with. kept is what the browser kept.
//
// fault.Denied: the answer is not the one of this browser's sign-in, the person's address
// is of no domain of the organization, or accounts.ErrStranger.
func (s *Service) FinishProvider(ctx context.Context, kept string, a oidc.Answer, from Caller) (Session, string, error) {
	var f flow
	text, err := letters.DecodeString(kept)
	if err == nil {
		text, err = s.atrest.Decrypt(flowName, text)
	}
	if err == nil {
		err = json.Unmarshal(text, &f)
	}
	if err != nil || !s.now().Before(f.Expires) {
		return Session{}, "", errFlow
	}
	p, err := s.accounts.Provider(ctx, f.Organization)
	if err != nil {
		return Session{}, "", err
	}
	secret, err := s.clientSecret(p)
	if err != nil {
		return Session{}, "", err
	}
	who, err := s.oidc.Finish(ctx, oidc.Provider{Issuer: p.Issuer, ClientID: p.ClientID, ClientSecret: secret}, f.Redirect, f.Flow, a)
	if err != nil {
		return Session{}, "", err
	}
	if at, err := mail.ParseAddress(who.Email); err != nil || at.Address != who.Email || len(who.Email) > longestEmail || !who.Verified || !p.Takes(who.Email) {
		return Session{}, "", ErrAddress
	}
	in := accounts.Identity{Organization: p.Organization, Issuer: who.Issuer, Subject: who.Subject, Address: who.Email}
	user, email, err := s.accounts.Join(ctx, accounts.By{Name: "provider:" + p.Issuer}, in, p.Role)
	if err != nil {
		return Session{}, "", err
	}
	session, err := s.open(ctx, user, email, accounts.ByProvider(p.Organization), accounts.Used{}, from)
	return session, f.Back, err
}

// ErrAddress says that a provider's person has no address that the organization takes.
var ErrAddress = fault.New(fault.Denied, "the identity provider names no verified e-mail address of the organization's domains for you")

// domain is a name in DNS with two labels at least.
var domain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// SetProvider gives an organization its identity provider. A nil secret keeps the one that
// it has, which is good for the same issuer and client alone. roles are those that may be
// given to who was not invited.
//
// fault.Invalid: something is wrong with p. fault.Unavailable: the provider is away.
func (s *Service) SetProvider(ctx context.Context, who store.Actor, p accounts.Provider, secret *string, roles []string) error {
	var problems []fault.Problem
	refuse := func(path, code, text string) {
		problems = append(problems, fault.Problem{Path: path, Code: code, Text: text})
	}
	if !oidc.ValidIssuer(p.Issuer) || len(p.Issuer) > 500 {
		refuse("issuer", "bad_issuer", "An issuer is an https URL without query, as the provider names itself.")
	}
	if p.ClientID == "" || len(p.ClientID) > 500 {
		refuse("clientId", "bad_client", "The provider gave the client an identifier.")
	}
	for i, d := range p.Domains {
		if p.Domains[i] = strings.ToLower(strings.TrimSpace(d)); !domain.MatchString(p.Domains[i]) || len(d) > 253 {
			refuse(fmt.Sprintf("domains[%d]", i), "bad_domain", "A domain is the end of e-mail addresses, such as example.com.")
		}
	}
	if len(p.Domains) == 0 || len(p.Domains) > mostDomains {
		refuse("domains", "no_domain", "Say which e-mail addresses may sign in, by 1 to 50 domains: some providers sign everybody in.")
	}
	if p.Role != "" && !slices.Contains(roles, p.Role) {
		refuse("role", "bad_role", "Who was not invited gets one of: "+strings.Join(roles, ", ")+"; without a role nobody does.")
	}
	if err := fault.Problems("the identity provider cannot be used", problems); err != nil {
		return err
	}
	if secret == nil {
		former, err := s.accounts.Provider(ctx, p.Organization)
		if err != nil && !missing(err) {
			return err
		}
		if secretOf(former) != secretOf(p) {
			return fault.Problems("the identity provider cannot be used", []fault.Problem{{Path: "clientSecret", Code: "no_secret", Text: "Give the client's secret again: it is kept for one issuer and client. It is empty for a public client."}})
		}
		p.Secret = former.Secret
	} else if *secret != "" {
		p.Secret = s.atrest.Encrypt(secretOf(p), []byte(*secret))
	}
	if err := s.oidc.Check(ctx, p.Issuer); err != nil {
		return fault.Problems("the identity provider cannot be used", []fault.Problem{{Path: "issuer", Code: "provider_away", Text: "Nothing answers as an OpenID Connect provider at this issuer, or this control plane may not reach it: see --allow-private."}})
	}
	return s.accounts.SetProvider(ctx, who.By(), p)
}
