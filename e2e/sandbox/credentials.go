package sandbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientapi "k8s.io/client-go/tools/clientcmd/api"
)

// credentials is a folder of what proves who is who in one cluster: its
// authority, the API server's certificate, the key that service account tokens
// are signed with, and one static token per user.
type credentials struct {
	dir    string
	server string
	tokens map[string]string
}

// users are the cluster's components and the group that each needs to be in. The
// API server reads them at its start, so nodes are among them that may never be.
func users() map[string]string {
	all := map[string]string{"admin": "system:masters", "system:kube-scheduler": "", "system:kube-proxy": ""}
	for index := range 1 + mostFurther {
		all["system:node:"+nodeName(index)] = "system:nodes"
	}
	return all
}

func (c *credentials) file(name string) string { return filepath.Join(c.dir, name) }

// issueCredentials writes a new set for an API server at the given URL that
// answers to the given addresses.
func issueCredentials(dir, server string, addresses ...string) (*credentials, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the credentials folder: %w", err)
	}
	c := &credentials{dir: dir, server: server, tokens: map[string]string{}}
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	serving := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{
			"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		},
	}
	for _, address := range addresses {
		serving.IPAddresses = append(serving.IPAddresses, net.ParseIP(address))
	}
	client := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver-kubelet-client", Organization: []string{"system:masters"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if err := os.WriteFile(c.file("ca.crt"), authority.pem, 0o644); err != nil {
		return nil, fmt.Errorf("writing the authority: %w", err)
	}
	for name, template := range map[string]*x509.Certificate{"apiserver": serving, "kubelet-client": client} {
		if err := authority.issue(template, c.file(name+".crt"), c.file(name+".key")); err != nil {
			return nil, fmt.Errorf("issuing %s: %w", name, err)
		}
	}
	if err := c.ensureFrontProxy(); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the service account key: %w", err)
	}
	if err := writeKey(c.file("service-accounts.key"), key); err != nil {
		return nil, err
	}
	return c, c.writeTokens()
}

const frontProxyName = "front-proxy"

// ensureFrontProxy issues what the API server proves itself with to those that serve a part of its API, unless it is
// there. The authority is one of its own: whom it signs for may speak in anybody's name.
func (c *credentials) ensureFrontProxy() error {
	if _, err := os.Stat(c.file("front-proxy.crt")); err == nil {
		return nil
	}
	authority, err := newAuthority()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.file("front-proxy-ca.crt"), authority.pem, 0o644); err != nil {
		return fmt.Errorf("writing the front proxy's authority: %w", err)
	}
	client := &x509.Certificate{
		Subject:     pkix.Name{CommonName: frontProxyName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	// The certificate is written last: with it, all is there.
	if err := authority.issue(client, c.file("front-proxy.crt"), c.file("front-proxy.key")); err != nil {
		return fmt.Errorf("issuing the front proxy's certificate: %w", err)
	}
	return nil
}

// openCredentials reads a set that was written before.
func openCredentials(dir, server string) (*credentials, error) {
	c := &credentials{dir: dir, server: server, tokens: map[string]string{}}
	written, err := os.ReadFile(c.file("tokens.csv"))
	if err != nil {
		return nil, fmt.Errorf("reading tokens: %w", err)
	}
	for line := range strings.Lines(string(written)) {
		if fields := strings.Split(strings.TrimSpace(line), ","); len(fields) > 1 {
			c.tokens[fields[1]] = fields[0]
		}
	}
	return c, nil
}

// writeTokens comes last: a folder with tokens is complete.
func (c *credentials) writeTokens() error {
	var lines strings.Builder
	for user, group := range users() {
		secret := make([]byte, 16)
		if _, err := rand.Read(secret); err != nil {
			return fmt.Errorf("making a token: %w", err)
		}
		c.tokens[user] = hex.EncodeToString(secret)
		fmt.Fprintf(&lines, "%s,%s,%s,%q\n", c.tokens[user], user, user, group)
	}
	for user := range users() {
		if err := c.writeKubeconfig(user); err != nil {
			return err
		}
	}
	if err := os.WriteFile(c.file("admin.token"), []byte(c.tokens["admin"]), 0o600); err != nil {
		return fmt.Errorf("writing tokens: %w", err)
	}
	if err := os.WriteFile(c.file("tokens.csv"), []byte(lines.String()), 0o600); err != nil {
		return fmt.Errorf("writing tokens: %w", err)
	}
	return nil
}

// kubeconfig is the file for one user.
func (c *credentials) kubeconfig(user string) string {
	return c.file(strings.ReplaceAll(user, ":", "-") + ".kubeconfig")
}

func (c *credentials) writeKubeconfig(user string) error {
	authority, err := os.ReadFile(c.file("ca.crt"))
	if err != nil {
		return fmt.Errorf("reading the authority: %w", err)
	}
	config := clientapi.NewConfig()
	config.Clusters["sandbox"] = &clientapi.Cluster{Server: c.server, CertificateAuthorityData: authority}
	config.AuthInfos[user] = &clientapi.AuthInfo{Token: c.tokens[user]}
	config.Contexts["sandbox"] = &clientapi.Context{Cluster: "sandbox", AuthInfo: user}
	config.CurrentContext = "sandbox"
	if err := clientcmd.WriteToFile(*config, c.kubeconfig(user)); err != nil {
		return fmt.Errorf("writing kubeconfig of %s: %w", user, err)
	}
	return nil
}

// admin is how a client of the host reaches the API server. It is not limited
// in its rate: tests ask as much as they like.
func (c *credentials) admin() *rest.Config {
	return &rest.Config{
		Host:            c.server,
		BearerToken:     c.tokens["admin"],
		TLSClientConfig: rest.TLSClientConfig{CAFile: c.file("ca.crt")},
		QPS:             -1,
	}
}

// authority signs the certificates of one cluster.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem         []byte
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the authority's key: %w", err)
	}
	template := lasting(&x509.Certificate{
		Subject:               pkix.Name{CommonName: "weir-sandbox"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing the authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(signed)
	if err != nil {
		return nil, fmt.Errorf("reading the authority: %w", err)
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	return &authority{certificate: certificate, key: key, pem: encoded}, nil
}

func (a *authority) issue(template *x509.Certificate, certificateFile, keyFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	signed, err := x509.CreateCertificate(rand.Reader, lasting(template), a.certificate, key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("signing: %w", err)
	}
	if err := writeKey(keyFile, key); err != nil {
		return err
	}
	return os.WriteFile(certificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o644)
}

// lasting makes a certificate valid for longer than any sandbox lives, and from
// a while ago, since the clocks of a machine may be set back.
func lasting(c *x509.Certificate) *x509.Certificate {
	now := time.Now()
	c.SerialNumber = big.NewInt(now.UnixNano())
	c.NotBefore, c.NotAfter = now.Add(-time.Hour), now.AddDate(1, 0, 0)
	return c
}

func writeKey(file string, key *ecdsa.PrivateKey) error {
	encoded, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encoding a key: %w", err)
	}
	content := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return fmt.Errorf("writing a key: %w", err)
	}
	return nil
}
