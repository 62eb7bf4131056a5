package gate_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/gate"
)

// authority makes certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	a.certificate, a.key = a.sign(t, x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign makes a certificate, or, without a certificate of its own, the authority's.
func (a *authority) sign(t *testing.T, template x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	require.NoError(t, err)
	template.Subject = pkix.Name{CommonName: "weir"}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	parent, parentKey := a.certificate, a.key
	if parent == nil {
		parent, parentKey = &template, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, &template, parent, &key.PublicKey, parentKey)
	require.NoError(t, err)
	made, err := x509.ParseCertificate(raw)
	require.NoError(t, err)
	return made, key
}

// pair is a certificate and its key, as a Secret has them.
func (a *authority) pair(t *testing.T, template x509.Certificate) map[string][]byte {
	t.Helper()
	certificate, key := a.sign(t, template)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}),
	}
}

// known is a Secret by which what the authority has signed is known.
func (a *authority) known() map[string][]byte {
	return map[string][]byte{"ca.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})}
}

// secure starts a server whose certificate the authority has signed. It counts its connections.
func (a *authority) secure(t *testing.T, certificate x509.Certificate, config *tls.Config) (url string, made *atomic.Int32) {
	t.Helper()
	if certificate.IPAddresses == nil {
		certificate.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	data := a.pair(t, certificate)
	pair, err := tls.X509KeyPair(data["tls.crt"], data["tls.key"])
	require.NoError(t, err)
	config.Certificates = []tls.Certificate{pair}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Proto)
	}))
	server.TLS, server.EnableHTTP2 = config, true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of those whom it refuses
	made = &atomic.Int32{}
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, made
}

func secureCall(url string, secret map[string][]byte) gate.Call {
	call := callOf(url)
	if secret != nil {
		call.Webhook.TLSSecretRef, call.TLSSecret = &v1beta1.LocalSecretRef{Name: "gate-tls"}, secret
	}
	return call
}

func TestServerCertificate(t *testing.T) {
	a := newAuthority(t)
	url, _ := a.secure(t, x509.Certificate{}, &tls.Config{})
	other, _ := a.secure(t, x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 2)}}, &tls.Config{})
	old, _ := a.secure(t, x509.Certificate{NotAfter: time.Now().Add(-time.Hour)}, &tls.Config{})
	ancient, _ := a.secure(t, x509.Certificate{}, &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	plain := hear(t, answering(http.StatusOK))
	unchecked := func(call gate.Call) gate.Call { call.Webhook.DisableTLS = true; return call }
	const untrusted = "is not trusted: x509: certificate "
	for name, c := range map[string]struct {
		call gate.Call
		want string
	}{
		"known":                  {secureCall(url, a.known()), "status 200: HTTP/1.1"},
		"not known":              {secureCall(url, nil), untrusted + "signed by unknown authority"},
		"known to another":       {secureCall(url, newAuthority(t).known()), untrusted + "signed by unknown authority"},
		"not known, not checked": {unchecked(secureCall(url, nil)), "status 200: HTTP/1.1"},
		"of another":             {secureCall(other, a.known()), untrusted + "is valid for 127.0.0.2, not 127.0.0.1"},
		"expired":                {secureCall(old, a.known()), "is not trusted: it has expired or is not valid yet"},
		"of old TLS":             {unchecked(secureCall(ancient, nil)), "cannot be reached: tls: protocol version not supported"},
		"missing": {
			secureCall("https"+plain.URL[len("http"):], nil), "does not speak TLS; its url begins with http",
		},
		"not asked for": {callOf("http" + url[len("https"):]), "status 400: Client sent an HTTP request to an HTTPS server."},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := gate.New(nil).Do(t.Context(), c.call)
			said := got.Message
			if err != nil {
				said = err.Error()
			}
			assert.Contains(t, said, c.want)
		})
	}
}

func TestClientCertificate(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	trusted := x509.NewCertPool()
	trusted.AddCert(ours.certificate)
	url, made := theirs.secure(t, x509.Certificate{}, &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted})
	client := gate.New(nil)
	with := func(pair map[string][]byte) gate.Call {
		pair["ca.crt"] = theirs.known()["ca.crt"]
		return secureCall(url, pair)
	}
	right := with(ours.pair(t, x509.Certificate{}))
	for range 3 {
		got, err := client.Do(t.Context(), right)
		require.NoError(t, err)
		assert.True(t, got.Agreed)
	}
	assert.EqualValues(t, 1, made.Load(), "the connection is kept")

	_, err := client.Do(t.Context(), secureCall(url, theirs.known()))
	require.ErrorContains(t, err, "cannot be reached: ", "it has none")
	_, err = client.Do(t.Context(), with(theirs.pair(t, x509.Certificate{})))
	require.ErrorContains(t, err, "cannot be reached: ", "it has one of another authority")

	before := made.Load()
	got, err := client.Do(t.Context(), with(ours.pair(t, x509.Certificate{})))
	require.NoError(t, err)
	assert.True(t, got.Agreed)
	assert.Equal(t, before+1, made.Load(), "a new certificate gets a new connection")
}

// TestManyCertificates: what is kept is bounded, and what was used last is kept.
func TestManyCertificates(t *testing.T) {
	a := newAuthority(t)
	url, made := a.secure(t, x509.Certificate{}, &tls.Config{})
	client := gate.New(nil)
	secret := func(n int) map[string][]byte {
		return map[string][]byte{"ca.crt": append(bytes.Repeat([]byte("\n"), n), a.known()["ca.crt"]...)}
	}
	do := func(n int) (connections int32) {
		before := made.Load()
		got, err := client.Do(t.Context(), secureCall(url, secret(n)))
		require.NoError(t, err)
		require.True(t, got.Agreed)
		return made.Load() - before
	}
	for n := range 32 {
		assert.EqualValues(t, 1, do(n))
	}
	assert.Zero(t, do(0), "there is room for 32")
	assert.EqualValues(t, 1, do(32))
	assert.Zero(t, do(0), "it was used before the last")
	assert.EqualValues(t, 1, do(1), "it was used least")
}

func TestBadTLSSecret(t *testing.T) {
	a := newAuthority(t)
	pair, other := a.pair(t, x509.Certificate{}), a.pair(t, x509.Certificate{})
	const nothing = "Secret gate-tls has none of tls.crt with tls.key and ca.crt"
	const noPair = "Secret gate-tls needs in tls.crt a certificate in PEM and in tls.key the key to it"
	for name, c := range map[string]struct {
		secret map[string][]byte
		want   string
	}{
		"empty":                {map[string][]byte{}, nothing},
		"other keys":           {map[string][]byte{"cert": pair["tls.crt"]}, nothing},
		"no key":               {map[string][]byte{"tls.crt": pair["tls.crt"]}, noPair},
		"no certificate":       {map[string][]byte{"tls.key": pair["tls.key"]}, noPair},
		"another's key":        {map[string][]byte{"tls.crt": pair["tls.crt"], "tls.key": other["tls.key"]}, noPair},
		"the two in one place": {map[string][]byte{"tls.crt": pair["tls.key"], "tls.key": pair["tls.key"]}, noPair},
		"no PEM":               {map[string][]byte{"ca.crt": []byte("secret")}, "Secret gate-tls has no certificate in PEM in ca.crt"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := gate.New(nil).Do(t.Context(), secureCall("https://127.0.0.1:1", c.secret))
			require.EqualError(t, err, c.want)
		})
	}
}
