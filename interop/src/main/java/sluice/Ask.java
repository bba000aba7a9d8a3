package sluice;
public class Ask { public static void main(String[] a) { System.out.println(org.tensorflow.TensorFlow.version()); } }
