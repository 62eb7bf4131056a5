package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// TestTrust: where there is no authority on the disk, as in the image, the operator trusts those that browsers do; where
// there is one, it trusts that alone. The disk is looked at once in the life of a program, so the test runs itself anew.
func TestTrust(t *testing.T) {
	const asked = "WEIR_TEST_TRUST"
	if file := os.Getenv(asked); file != "" {
		require.NoError(t, os.WriteFile(file, []byte(strconv.Itoa(trusted(t))), 0o600))
		return
	}
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine.pem")
	for root := range bundle.Roots() {
		block := pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}
		require.NoError(t, os.WriteFile(mine, pem.EncodeToMemory(&block), 0o600))
	}
	count := func(authorities string) int {
		file := filepath.Join(dir, "count")
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTrust$")
		again.Env = append(os.Environ(), asked+"="+file, "SSL_CERT_FILE="+authorities, "SSL_CERT_DIR="+filepath.Join(dir, "none"))
		said, err := again.CombinedOutput()
		require.NoError(t, err, "%s", said)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		var n int
		_, err = fmt.Sscan(string(content), &n)
		require.NoError(t, err)
		return n
	}
	assert.Greater(t, count(filepath.Join(dir, "none")), 50)
	assert.Equal(t, 1, count(mine))
}

// trusted counts the public authorities that this program trusts.
func trusted(t *testing.T) (n int) {
	t.Helper()
	for root := range bundle.Roots() {
		authority, err := x509.ParseCertificate(root.Certificate)
		require.NoError(t, err)
		if _, err := authority.Verify(x509.VerifyOptions{KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err == nil {
			n++
		}
	}
	return n
}
