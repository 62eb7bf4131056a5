package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// Incidents are the severities that a pager opens incidents for. A thread has one for each: were it one for both, an
// error would be counted to the warning before it, and would wake nobody.
func Incidents() []v1beta1.AlertSeverity {
	return []v1beta1.AlertSeverity{v1beta1.SeverityWarn, v1beta1.SeverityError}
}

// Incident is the key of one of them, of so many bytes at most, which must be more than 32. It can stand in a path.
func (m Message) Incident(severity v1beta1.AlertSeverity, limit int) string {
	thread := m.Thread
	if thread == "" {
		thread = m.ID // of no run
	}
	key := "weir:" + strings.ReplaceAll(thread, "/", ":") + ":" + string(severity)
	if len(key) > limit {
		sum := sha256.Sum256([]byte(key))
		end := "-" + hex.EncodeToString(sum[:8])
		key = strings.ToValidUTF8(key[:limit-len(end)], "") + end
	}
	return key
}
