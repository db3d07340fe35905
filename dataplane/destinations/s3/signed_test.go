package s3_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signed reports whether a request is signed as the page says, step by step.
// Source: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
func signed(r *http.Request, body []byte) bool {
	digest := sha256.Sum256(body)
	if r.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(digest[:]) || r.URL.RawQuery != "" {
		return false
	}
	given := map[string]string{}
	for _, part := range strings.Split(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		given[name] = value
	}
	names := strings.Split(given["SignedHeaders"], ";")
	if !slices.Contains(names, "host") || !slices.Contains(names, "x-amz-content-sha256") || !slices.Contains(names, "x-amz-date") {
		return false
	}
	at := r.Header.Get("X-Amz-Date")
	scope := now.Format("20060102") + "/" + region + "/s3/aws4_request"
	if given["Credential"] != accessKey+"/"+scope || at != now.Format("20060102T150405Z") {
		return false
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	plain, err := url.PathUnescape(path)
	if err != nil {
		return false
	}
	var canonical strings.Builder
	fmt.Fprintf(&canonical, "%s\n", r.Method)
	for _, c := range []byte(plain) {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/", c) >= 0 {
			canonical.WriteByte(c)
		} else {
			fmt.Fprintf(&canonical, "%%%02X", c)
		}
	}
	canonical.WriteString("\n\n")
	for _, name := range names {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.TrimSpace(value))
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", given["SignedHeaders"], hex.EncodeToString(digest[:]))
	hashed := sha256.Sum256([]byte(canonical.String()))
	key := []byte("AWS4" + secretKey)
	for _, text := range append(strings.Split(scope, "/"), "AWS4-HMAC-SHA256\n"+at+"\n"+scope+"\n"+hex.EncodeToString(hashed[:])) {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		key = mac.Sum(nil)
	}
	return given["Signature"] == hex.EncodeToString(key)
}
