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
}
