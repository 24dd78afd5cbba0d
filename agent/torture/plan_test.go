package torture

import (
	"math/rand/v2"
	"testing"

	"branchbot/configs"
	"branchbot/internal/fault"
)

// Half of the blows fall at random moments, and the others reach every victim at
// every point before one comes again.
func TestPlanGoesRound(t *testing.T) {
	t.Parallel()
	points, victims := []string{"a", "b", "c", "d"}, []string{Agent, Runner, Browser}
	p := newPlan(rand.New(rand.NewPCG(1, 0)), points, victims, 2)
	seen, random := map[blow]int{}, map[string]int{}
	for range 2 * len(points) * len(victims) {
		if b := p.next(); b.point == "" {
			random[b.victim]++
		} else {
			b.passing = 0
			seen[b]++
		}
	}
	if len(seen) != 12 || random[Agent] != 4 || random[Runner] != 4 || random[Browser] != 4 {
		t.Errorf("at points %v, at random %v", seen, random)
	}
}

func TestOnlyFoldersOfTorture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := ReadSettings(dir); !fault.HasCode(err, "torture_folder") {
		t.Errorf("a folder without a mark: %v", err)
	}
	if err := Prepare(dir, Settings{Sites: map[string]string{"core": "https://127.0.0.1:1"}, Runs: 2}); err != nil {
		t.Fatal(err)
	}
	s, err := ReadSettings(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Prepare(dir, s); !fault.HasCode(err, "torture_folder") {
		t.Errorf("a folder that holds something: %v", err)
	}
	config := configs.DefaultDevice()
	config.Data, config.Sites = "/var/lib/branchbot", map[string]string{"core": "https://production.example"}
	config.Schedules = []configs.Schedule{{Bot: "x", Cron: "* * * * *"}}
	if err := s.Configure(&config, dir); err != nil {
		t.Fatal(err)
	}
	if config.Data != dir || config.Sites["core"] != "https://127.0.0.1:1" || len(config.Schedules) > 0 || config.Runs.Attended != 2 {
		t.Errorf("configured %+v", config)
	}
}
