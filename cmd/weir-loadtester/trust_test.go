package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// TestTrust: where there is no authority on the disk, as in the image, the load tester trusts those that browsers do. The
// disk is looked at once in the life of a program, so the test runs itself anew.
func TestTrust(t *testing.T) {
	const alone = "WEIR_TEST_WITHOUT_AUTHORITIES"
	if os.Getenv(alone) == "" {
		empty := t.TempDir()
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTrust$")
		again.Env = append(os.Environ(), alone+"=1", "SSL_CERT_DIR="+empty, "SSL_CERT_FILE="+filepath.Join(empty, "none"))
		said, err := again.CombinedOutput()
		require.NoError(t, err, "%s", said)
		return
	}
	trusted := 0
	for root := range bundle.Roots() {
		authority, err := x509.ParseCertificate(root.Certificate)
		require.NoError(t, err)
		if _, err := authority.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
			trusted++
		}
	}
	require.Greater(t, trusted, 50, "authorities that are trusted")
}
