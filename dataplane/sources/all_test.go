package sources_test

import (
	"slices"
	"testing"

	"weir/dataplane/ingest/ingesttest"
	"weir/dataplane/pull/api/apitest"
	"weir/dataplane/sources"
	"weir/shared/catalog"
	"weir/shared/catalog/form/formtest"
	"weir/shared/secret"
)

func TestAll(t *testing.T) {
	ingesttest.Run(t, sources.All(), ".")
}

func TestPulled(t *testing.T) {
	t.Parallel()
	apitest.Run(t, sources.Pulled(), ".")
}

// TestFormsRefuseWhatKindsRefuse is about what is needed one way or the other, of kinds with
// code: files refuse nothing themselves.
func TestFormsRefuseWhatKindsRefuse(t *testing.T) {
	t.Parallel()
	good := map[string]string{"s3-files": `{"bucket":"data","files":{"orders":"*.csv"}}`}
	for _, kind := range sources.Pulled() {
		if kind.Spec.Form == nil || len(kind.Spec.Form.Choices) == 0 || kind.Spec.Pull != nil {
			continue
		}
		settings, ok := good[kind.Spec.Name]
		if !ok {
			t.Errorf("no settings of %s are known here", kind.Spec.Name)
			continue
		}
		formtest.Agree(t, formtest.Kind{Form: kind.Spec.Form, Secret: func(name string) bool {
			return slices.ContainsFunc(kind.Spec.Secrets, func(f catalog.Field) bool { return f.Name == name })
		}, Open: func(settings []byte, secrets map[string]string) error {
			sealed := map[string]secret.String{}
			for name, text := range secrets {
				sealed[name] = secret.NewString(text)
			}
			_, err := kind.Open(settings, sealed)
			return err
		}}, []byte(settings), map[string]string{"accessKey": "made-up-key", "secretKey": "made-up-secret"})
	}
}
