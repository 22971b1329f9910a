import TesseraCore
import TesseraNN
import TesseraTesting
import Testing

@Suite struct ScheduleTests {
  private func rates(_ schedule: some Schedule) throws -> Tensor {
    try Tensor((0..<13).map { schedule.rate(at: $0) })
  }

  @Test func schedulesAgreeWithPyTorch() throws {
    let golden = try Golden("schedules")
    expectClose(try rates(.step(from: 0.4, every: 3, by: 0.5)), try golden("step"))
    expectClose(try rates(.polynomial(from: 0.4, over: 10, power: 2)), try golden("polynomial"))
    expectClose(try rates(.cosine(from: 0.4, to: 0.1, over: 10)), try golden("cosine"))
    expectClose(try rates(.cosine(from: 0.4, to: 0.1, over: 12)), try golden("cosine.torch"))
    expectClose(try rates(.multiStep(from: 0.4, at: [2, 6, 6], by: 0.5)), try golden("multiStep"))
    expectClose(try rates(.oneCycle(to: 0.5, over: 14, rise: 0.3)), try golden("oneCycle"))
  }

  @Test func aConstantScheduleIsConstant() throws {
    expectClose(try rates(.constant(0.25)), try Tensor.full(0.25, shape: [13], dtype: .float64))
  }

  @Test func theRiseIsStraightAndEndsAtTheFirstRate() {
    let schedule: some Schedule = .cosine(from: 1, over: 10).warmedUp(over: 4)
    for step in 0..<4 { #expect(Swift.abs(schedule.rate(at: step) - Double(step + 1) / 5) < 1e-12) }
    #expect(schedule.rate(at: 4) == 1)
    #expect(Swift.abs(schedule.rate(at: 14)) < 1e-12)
  }

  @Test func placesOutsideTheWayHaveTheRatesOfItsEnds() {
    let schedule: some Schedule = .polynomial(from: 1, to: 0.2, over: 10)
    #expect(schedule.rate(at: -3) == 1)
    #expect(Swift.abs(schedule.rate(at: 1000) - 0.2) < 1e-12)
  }

  @Test func theRateFallsAtEachMilestone() throws {
    expectClose(
      try rates(.multiStep(from: 0.4, at: [6, 2, 6, 100], by: 0.5)),
      [0.4, 0.4, 0.2, 0.2, 0.2, 0.2] + [Double](repeating: 0.05, count: 7)
    )
  }

  @Test func oneCycleRisesToItsPeakAndFallsToNextToNothing() throws {
    // Two steps up, eight down.
    let schedule: some Schedule = .oneCycle(to: 0.5, over: 11, rise: 3.0 / 11)
    let found = (0..<13).map { schedule.rate(at: $0) }
    let (first, last) = (0.02, 0.000_002)
    expectClose(
      try Tensor([found[0], found[1], found[2], found[6], found[10], found[12]]),
      [first, (first + 0.5) / 2, 0.5, (0.5 + last) / 2, last, last]
    )
    #expect(zip(found[2...10], found[3...10]).allSatisfy { $0 > $1 })
    let named: some Schedule = .oneCycle(to: 1, over: 4, rise: 0.5, from: 0.25, downTo: 0.125)
    expectClose(try Tensor((0..<4).map { named.rate(at: $0) }), [0.25, 1, (1 + 0.125) / 2, 0.125])
  }

  @Test func noNumberOfStepsStopsTheProgram() {
    for steps in [Int.min, -1, 0, 1, .max] {
      let schedules: [any Schedule] = [
        .constant(1).warmedUp(over: steps), .step(from: 1, every: steps),
        .cosine(from: 1, over: steps),
        .polynomial(from: 1, over: steps), .multiStep(from: 1, at: [steps]),
        .oneCycle(to: 1, over: steps),
      ]
      for schedule in schedules {
        for step in [Int.min, -1, 0, 1, .max - 1, .max] {
          let rate = schedule.rate(at: step)
          #expect((0...1).contains(rate), "\(schedule) at \(step)")
        }
      }
    }
  }
}
