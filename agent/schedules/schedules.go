package schedules

import (
	"encoding/json"
	"fmt"

	"branchbot/configs"
	"branchbot/scheduler"
)

func decode(value []byte) (firing, error) {
	var known firing
	if err := json.Unmarshal(value, &known); err != nil {
		return firing{}, fmt.Errorf("decode fire key: %w", err)
	}
	return known, nil
}

// Parse reads the schedules of the configuration; code schedule_invalid.
func Parse(configured []configs.Schedule) ([]scheduler.Schedule, error) {
	var list []scheduler.Schedule
	for _, s := range configured {
		rule, err := scheduler.Parse(s.Cron, s.Zone)
		if err != nil {
			return nil, fmt.Errorf("schedule %s: %w", s.ID(), err)
		}
		list = append(list, scheduler.Schedule{ID: s.ID(), Rule: rule})
	}
	return list, nil
}
