package convert_test

import (
	"strings"
	"testing"

	"weir/dataplane/destination/convert"
	"weir/shared/catalog/calls"
)

const (
	meta   = "https://developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters"
	snap   = "https://developers.snap.com/api/marketing-api/Conversions-API/Parameters"
	reddit = "https://business.reddithelp.com/s/article/match-keys"
	google = "https://developers.google.com/data-manager/api/devguides/concepts/formatting"
)

// TestVendorsExamples: what the pages of ads platforms say that a value of a person becomes before it is hashed, and the hash.
func TestVendorsExamples(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ source, words, in, form, hash string }{
		{meta, "email", "John_Smith@gmail.com", "john_smith@gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"},
		{meta, "phone_digits", "1 (650)555-1212", "16505551212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"},
		{meta, "phone_digits", "+1 (650)555-1212", "16505551212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"},
		{meta, "name", "Mary", "mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"},
		{meta, "name", "정", "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"},
		{meta, "name", "Valéry", "valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"},
		{meta, "birthday", "19970216", "19970216", "01acdbf6ec7b4f478a225f1a246e5d6767eeab1a7ffa17f025265b5b94f40f0c"},
		{meta, "city", "New York", "newyork", ""},
		{meta, "state", "CA", "ca", ""},
		{meta, "zip", "94035-1234", "94035", ""},
		{meta, "zip", "M1 1AE", "m11ae", ""},
		{meta, "country", "US", "us", ""},
		{meta, "gender", "Female", "f", ""},
		{snap, "email", " Person@Example.com", "person@example.com", "542d240129883c019e106e3b1b2d3f3cb3537c43c425364de8e951d5a3083345"},
		{snap, "phone_digits", "+44 844 412 4653", "448444124653", "dc008fda46e2e64002cf2f82a4906236282d431c4f75e5b60bfe79fc48546383"},
		{snap, "phone_digits", "0044 844 412 4653", "448444124653", "dc008fda46e2e64002cf2f82a4906236282d431c4f75e5b60bfe79fc48546383"},
		{snap, "name", "John", "john", "96d9632f363564cc3032521409cf22a852f2032eec099ed5967c0d000cec607a"},
		{snap, "name", "Raphaël", "raphaël", "e74bb89e718fe1e19c422a48382870399f8bf7ca8dfa008739e75b0be76627b7"},
		{reddit, "canonical_email", "Al.ice$+Apple@Example.Com", "alice@example.com", "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976"},
		{google, "gmail", "cloudy.sanfrancisco+shopping@gmail.com", "cloudysanfrancisco@gmail.com", ""},
		{google, "gmail", "Cloudy.SanFrancisco@googlemail.com", "cloudysanfrancisco@googlemail.com", ""},
		{google, "gmail", " user.name+NYC@Example.com ", "user.name+nyc@example.com", ""},
		{google, "phone", "+1 (800) 555-0100", "+18005550100", ""},
	} {
		as := []calls.Conversion{{Word: tc.words}}
		if got := convert.Compile(as)(convert.Text(tc.in)).Text(); got != tc.form {
			t.Errorf("%s of %q: %q, want %q (%s)", tc.words, tc.in, got, tc.form, tc.source)
		}
		as = append(as, calls.Conversion{Word: "sha256"})
		hash := convert.Compile(as)(convert.Text(tc.in)).Text()
		if tc.hash != "" && hash != tc.hash {
			t.Errorf("hash of %q: %q, want %q (%s)", tc.in, hash, tc.hash, tc.source)
		}
		// A value that comes hashed is none to bring into a form.
		if again := convert.Compile(as)(convert.Text(strings.ToUpper(hash))).Text(); hashable[tc.words] && again != hash {
			t.Errorf("%s of its own hash: %q, want %q", tc.words, again, hash)
		}
	}
}

var hashable = map[string]bool{"email": true, "gmail": true, "canonical_email": true, "phone": true, "phone_digits": true, "name": true}
