package gate

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"weir.dev/weir/pkg/outbound"
)

// mostClients is how many TLS configurations have connections at the same time. Those of one that falls out are
// closed when they are idle.
const mostClients = 32

// caKey is the key of a Secret with the certificates that a server is known by.
const caKey = "ca.crt"

// digest stands for a TLS configuration.
type digest [sha256.Size]byte

// keptClient is a client and what it was made of. A Secret that has changed has another digest, and gets a client of
// its own.
type keptClient struct {
	of     digest
	client *http.Client
}

// clientOf gives the client for a call, which is kept for the next.
func (c *Client) clientOf(call Call) (*http.Client, error) {
	of := digestOf(call)
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := slices.IndexFunc(c.kept, func(k keptClient) bool { return k.of == of }); at >= 0 {
		found := c.kept[at]
		c.kept = slices.Insert(slices.Delete(c.kept, at, at+1), 0, found)
		return found.client, nil
	}
	config, err := tlsConfig(call)
	if err != nil {
		return nil, err
	}
	made := keptClient{of: of, client: outbound.NewClient(config, nil, c.reach)}
	c.kept = slices.Insert(c.kept, 0, made)
	if len(c.kept) > mostClients {
		c.kept[mostClients].client.CloseIdleConnections()
		c.kept = slices.Delete(c.kept, mostClients, len(c.kept))
	}
	return made.client, nil
}

func digestOf(call Call) digest {
	sum := sha256.New()
	fmt.Fprintf(sum, "%t", call.Webhook.DisableTLS)
	for _, key := range []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey, caKey} {
		fmt.Fprintf(sum, " %d ", len(call.TLSSecret[key]))
		sum.Write(call.TLSSecret[key])
	}
	return digest(sum.Sum(nil))
}

// tlsConfig is made of the Secret. Its errors do not repeat what is in there.
func tlsConfig(call Call) (*tls.Config, error) {
	secret := secretName(call.Webhook.TLSSecretRef)
	certificate, key, ca := call.TLSSecret[corev1.TLSCertKey], call.TLSSecret[corev1.TLSPrivateKeyKey], call.TLSSecret[caKey]
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: call.Webhook.DisableTLS}
	if call.Webhook.TLSSecretRef != nil && len(certificate)+len(key)+len(ca) == 0 {
		return nil, fmt.Errorf("%s has none of tls.crt with tls.key and ca.crt", secret)
	}
	if len(certificate)+len(key) > 0 {
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return nil, fmt.Errorf("%s needs in tls.crt a certificate in PEM and in tls.key the key to it", secret)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if len(ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, fmt.Errorf("%s has no certificate in PEM in ca.crt", secret)
		}
	}
	return config, nil
}
