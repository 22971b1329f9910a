// Trains a classifier on a part of Fashion-MNIST: the loop of the README, with its result.
import Tessera

let key = RandomKey(seed: 1)
let data = try FashionMNIST.load(.train).subset(Array(0..<6000))
let model = try ImageClassifier(using: Generator(key: key["weights"]))
let optimizer = try SGD(model.parameters, learningRate: 0.05, momentum: 0.9)
for epoch in 1...2 {
  let batches = try data.batches(of: 64, shuffledBy: key["epoch"][epoch])
  var loss = 0.0
  for number in batches.numbers {
    let batch = try batches.batch(number)
    let step = try crossEntropy(model(batch.images), batch.labels)
    try optimizer.step(minimizing: step)
    loss += try step.item()
  }
  print("epoch \(epoch): loss \(loss / Double(batches.count))")
}

let test = try FashionMNIST.load(.test).batches(of: 1000).batch(0)
let right = try withoutGradient {
  try model(test.images).argmax(along: 1).equals(test.labels).sum().itemAsInteger()
}
print("accuracy on 1,000 test images: \(Double(right) / 10) %")
