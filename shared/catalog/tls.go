package catalog

import (
	_ "embed"
	"slices"

	"gopkg.in/yaml.v3"
)

//go:embed tls.yaml
var trust []byte

// withTLS gives a destination that speaks HTTP its fields of TLS, and binds its secrets to
// the authority. A kind with a field of one of their names has its own.
func withTLS(s Spec, calls bool) Spec {
	url := func(f Field) bool { return f.Name == "url" && f.Type == TypeURL }
	if s.Family != Destinations || !calls && len(s.Base) == 0 && len(s.Auth) == 0 && !slices.ContainsFunc(s.Fields, url) {
		return s
	}
	var more struct{ Fields, Secrets []Field }
	if err := yaml.Unmarshal(trust, &more); err != nil {
		panic("tls.yaml is damaged: " + err.Error()) // compiled in
	}
	for _, f := range append(slices.Clone(s.Fields), s.Secrets...) {
		if slices.ContainsFunc(append(slices.Clone(more.Fields), more.Secrets...), func(m Field) bool { return m.Name == f.Name }) {
			return s
		}
	}
	s.Fields, s.Secrets = append(slices.Clip(s.Fields), more.Fields...), append(slices.Clip(s.Secrets), more.Secrets...)
	s.SentTo = append(slices.Clip(s.SentTo), "sslRootCert")
	return s
}
