package rollout

import (
	"fmt"
	"time"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// RoundID names one round of checks of one run. An answer counts only for the round it was asked in.
type RoundID struct {
	Run   string
	Step  int32
	Round int32
}

func (r RoundID) String() string { return fmt.Sprintf("%s/%d/%d", r.Run, r.Step, r.Round) }

// Question is one metric that is to be asked now.
type Question struct {
	Round  RoundID
	Metric v1beta1.CanaryMetric
	// Window of the query.
	Window time.Duration
}
