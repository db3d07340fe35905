package agent

import (
	"slices"

	"weir/shared/fault"
	"weir/shared/secret"
	"weir/shared/workspace"
)

// remembered is where this plane sent a secret when it first opened it. It is kept
// for secrets that a release before sealed for no place: they open whatever the
// settings say, and must not follow them to another place.
type remembered struct {
	Name    secret.Name    `json:"name"`
	Binding secret.Binding `json:"binding"`
}

// maxRemembered bounds what one workspace makes the plane remember.
const maxRemembered = 10_000

// opener opens the secrets of one configuration, each only to be sent where the
// configuration's settings say.
type opener struct {
	key          secret.PrivateKey
	bindings     map[secret.Name]secret.Binding
	fingerprints map[secret.Name]string
	unbound      []remembered // also what it opened itself
}

func openerOf(cfg Config, c workspace.Config, unbound []remembered) *opener {
	o := &opener{key: cfg.Sealing, bindings: c.Bindings(cfg.Kinds.Specs()), fingerprints: map[secret.Name]string{}, unbound: slices.Clone(unbound)}
	for ref := range c.Secrets() {
		o.fingerprints[ref.Name] = ref.Fingerprint
	}
	return o
}

// elsewhere reports whether a secret was sealed for, or first sent to, another place
// than the settings name.
func (o *opener) elsewhere(n secret.Name) bool {
	to, known := o.bindings[n]
	if !known {
		return false
	}
	if is, same := secret.BoundTo(o.fingerprints[n], to); is {
		return !same
	}
	i := slices.IndexFunc(o.unbound, func(r remembered) bool { return r.Name == n })
	return i >= 0 && o.unbound[i].Binding != to || i < 0 && len(o.unbound) >= maxRemembered
}

// open opens a secret. fault.Invalid: it does not open for where it is sent.
func (o *opener) open(n secret.Name, s secret.Sealed) (secret.String, error) {
	to, known := o.bindings[n]
	if !known || o.elsewhere(n) {
		return secret.String{}, fault.New(fault.Invalid, "The settings send the secret to a place that it is not sealed for.")
	}
	if is, _ := secret.BoundTo(o.fingerprints[n], to); is {
		return secret.Open(o.key, n, to, s)
	}
	clear, err := secret.OpenUnbound(o.key, n, s)
	if err == nil && !slices.ContainsFunc(o.unbound, func(r remembered) bool { return r.Name == n }) {
		o.unbound = append(o.unbound, remembered{n, to})
	}
	return clear, err
}
