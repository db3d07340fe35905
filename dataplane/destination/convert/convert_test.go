package convert_test

import (
	"testing"

	"weir/dataplane/destination/convert"
	"weir/dataplane/destination/fields"
	"weir/shared/catalog/calls"
)

// TestConversions: what each word makes of a value; vendors' own examples are in person_test.go.
func TestConversions(t *testing.T) {
	t.Parallel()
	words := func(all ...string) (as []calls.Conversion) {
		for _, w := range all {
			as = append(as, calls.Conversion{Word: w})
		}
		return as
	}
	for _, tc := range []struct {
		as       []calls.Conversion
		in, want string
	}{
		{words("string"), `12345678901234567890`, `"12345678901234567890"`},
		{words("string"), `{"a":1}`, `"{\"a\":1}"`},
		{words("string"), `"a\u00e4\n"`, `"a\u00e4\n"`},
		{words("integer"), `"12345678901234567890"`, `12345678901234567890`},
		{words("integer"), `1.9e3`, `1900`},
		{words("integer"), `-2.7`, `-2`},
		{words("integer"), `true`, ``},
		{words("integer"), `"01"`, `1`},
		{words("integer"), `1e400`, ``},
		{words("number"), `1.50`, `1.50`},
		{words("number"), `" 1.5 "`, `1.5`},
		{words("number"), `"NaN"`, ``},
		{words("number"), `{}`, ``},
		{words("boolean"), `"Yes"`, `true`},
		{words("boolean"), `0`, `false`},
		{words("boolean"), `"x"`, ``},
		{words("unix"), `"2026-01-02T03:04:05.678+01:00"`, `1767319445`},
		{words("unix_ms"), `"2026-01-02"`, `1767312000000`},
		{words("unix_ms"), `1767319445`, `1767319445000`},
		{words("unix"), `"1767319445678"`, `1767319445`},
		{words("unix"), `"yesterday"`, ``},
		{words("iso8601"), `1767319445678`, `"2026-01-02T02:04:05.678Z"`},
		{words("date"), `"2026-01-02T23:30:00-02:00"`, `"2026-01-03"`},
		{words("trim", "lower"), `"  ÄB "`, `"äb"`},
		{words("title"), `"two words"`, `"Two Words"`},
		{words("snake_case"), `"orderCompleted now-2"`, `"order_completed_now_2"`},
		{words("camel_case"), `"Order Completed"`, `"orderCompleted"`},
		{[]calls.Conversion{{Word: "truncate", Number: 2}}, `"äöü"`, `"äö"`},
		{[]calls.Conversion{{Word: "prefix", Text: "+"}}, `""`, ``},
		{[]calls.Conversion{{Word: "suffix", Text: "-2"}}, `"m"`, `"m-2"`},
		{[]calls.Conversion{{Word: "replace", Pairs: [][2]string{{"a", "b"}, {"b", "a"}}}}, `"abc"`, `"bac"`},
		{[]calls.Conversion{{Word: "join", Text: ", "}}, `["a",1,null,{"b":1},true]`, `"a, 1, true"`},
		{[]calls.Conversion{{Word: "split", Text: ","}}, `"a, b,,c"`, `["a","b","c"]`},
		{[]calls.Conversion{{Word: "sum", Path: []string{"p"}}}, `[{"p":0.1},{"p":"0.2"},{}]`, `0.3`},
		{words("list"), `1`, `[1]`},
		{words("first"), `[null,2,3]`, `2`},
		{words("last"), `[1,{"a":2}]`, `{"a":2}`},
		{words("count"), `[1,2]`, `2`},
		{words("json"), `[1]`, `"[1]"`},
		{words("language"), `"en-GB"`, `"en"`},
		{words("region"), `"zh_Hant_TW"`, `"TW"`},
		{words("region"), `"en"`, ``},
		{words("host"), `"https://a.example:8080/x?y"`, `"a.example"`},
		{words("url_path"), `"https://a.example/x%20y?z"`, `"/x%20y"`},
		{words("email", "sha256"), `"62A14E44F765419D10FEA99367361A727C12365E2520F32218D505ED9AA0F62F"`, `"62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"`},
		{words("email", "sha256"), `"no address"`, ``},
		{words("gmail"), `"Ada.L@googlemail.com"`, `"adal@googlemail.com"`},
		{words("phone"), `"0049 (151) 234-5678"`, `"+491512345678"`},
		{words("phone"), `"12"`, ``},
		{words("city"), `"St. Moritz 7"`, `"stmoritz"`},
		{words("zip"), `"94025-1234"`, `"94025"`},
		{words("zip"), `"M1 1AE"`, `"m11ae"`},
		{words("country"), `"DE"`, `"de"`},
		{words("country"), `"Germany"`, ``},
		{words("gender"), `"Female"`, `"f"`},
		{words("birthday"), `"1990-02-03"`, `"19900203"`},
		{words("sha256"), `""`, ``},
		{words("uuid"), `"m2"`, `"c31ce725-dfbb-50f5-b5f0-364fda319712"`},
		{words("uuid"), `"567491EE-9105-4A87-9CBC-ED78A571645B"`, `"567491ee-9105-4a87-9cbc-ed78a571645b"`},
		{words("uuid"), `""`, ``},
		{words("md5"), `"a"`, `"0cc175b9c0f1b6a831c399e269772661"`},
	} {
		got := ""
		if v := convert.JSON(fields.Value(tc.in)); v.There() {
			if v = convert.Compile(tc.as)(v); v.There() {
				got = string(v.Append(nil))
			}
		}
		if got != tc.want {
			t.Errorf("%v of %s: %s, want %s", tc.as, tc.in, got, tc.want)
		}
	}
}
